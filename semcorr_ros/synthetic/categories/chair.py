"""Chairs with four legs and a back, with or without armrests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import trimesh

from semcorr_ros.artifacts import CategoryInfo
from semcorr_ros.synthetic import shapes
from semcorr_ros.synthetic.categories import edge_table, flip_table
from semcorr_ros.synthetic.dress import Point, Shape, dress
from semcorr_ros.synthetic.instance import Instance

_NAMES = (
    "foot_front_left",
    "foot_front_right",
    "foot_rear_left",
    "foot_rear_right",
    "seat_front_left",
    "seat_front_right",
    "seat_rear_left",
    "seat_rear_right",
    "seat_front",
    "back_left",
    "back_right",
    "back_top",
)
_EDGES = (
    "foot_front_left-seat_front_left foot_front_right-seat_front_right "
    "foot_rear_left-seat_rear_left foot_rear_right-seat_rear_right "
    "seat_front_left-seat_front seat_front-seat_front_right seat_front_left-seat_rear_left "
    "seat_front_right-seat_rear_right seat_rear_left-seat_rear_right "
    "seat_rear_left-back_left seat_rear_right-back_right back_left-back_top back_top-back_right"
)

INFO = CategoryInfo("chair", _NAMES, flip_table(_NAMES), edges=edge_table(_NAMES, _EDGES))


@dataclass(frozen=True)
class _Frame:
    """Lengths in metres; the seat reaches from -depth/2 to depth/2 in x."""

    width: float
    depth: float
    seat: float  # height of its upper side
    thickness: float
    back: float  # height above the seat
    lean: float  # how far the top of the back is behind its bottom
    leg: float  # radius
    splay: float  # how far a foot stands outside its corner


def generate(rng: np.random.Generator) -> Instance:
    """A chair of 0.7-1.15 m: dining chair, stool with a back, armchair."""
    frame = _Frame(
        width=rng.uniform(0.36, 0.58),
        depth=rng.uniform(0.36, 0.54),
        seat=rng.uniform(0.36, 0.52),
        thickness=rng.uniform(0.025, 0.1),
        back=rng.uniform(0.3, 0.62),
        lean=rng.uniform(0.0, 0.16),
        leg=rng.uniform(0.013, 0.027),
        splay=rng.uniform(0.0, 0.07) if rng.random() < 0.5 else 0.0,
    )
    taper = float(rng.uniform(0.8, 1.0))
    seat = shapes.box(
        (-frame.depth / 2, -frame.width / 2, frame.seat - frame.thickness),
        (frame.depth / 2, frame.width / 2, frame.seat),
    )
    # Narrower at the rear, as most seats are.
    rear = seat.vertices[:, 0] < 0
    vertices = np.array(seat.vertices)
    vertices[rear, 1] *= taper
    seat = trimesh.Trimesh(vertices, seat.faces, process=False)
    points = _seat_points(frame, taper)
    parts: list[Shape] = [("seat", seat)]
    parts += _legs(rng, frame, taper, points)
    parts += _back(rng, frame, taper, points)
    if rng.random() < 0.4:
        parts += _armrests(rng, frame, taper)
    return dress(rng, INFO, parts, points)


def _seat_points(frame: _Frame, taper: float) -> dict[str, Point]:
    x, y, z = frame.depth / 2, frame.width / 2, frame.seat
    points = {"seat_front": (x, 0.0, z)}
    for side, sign in (("left", 1), ("right", -1)):
        points[f"seat_front_{side}"] = (x, sign * y, z)
        points[f"seat_rear_{side}"] = (-x, sign * y * taper, z)
    return points


def _legs(rng: np.random.Generator, frame: _Frame, taper: float, points: dict[str, Point]) -> list[Shape]:
    top, round_leg = frame.seat - frame.thickness, rng.random() < 0.6
    ends = np.array([frame.leg, frame.leg * rng.uniform(0.55, 0.9)])
    left: list[Shape] = []
    feet = {}
    for place, x, width in (("front", 1, 1.0), ("rear", -1, taper)):
        start = np.array([x * (frame.depth / 2 - frame.leg), frame.width / 2 * width - frame.leg, top])
        foot = start + np.array([x * frame.splay, 0.6 * frame.splay, -top])
        path = shapes.line(start, foot, 6)
        radii = np.interp(np.linspace(0, 1, 6), [0, 1], ends)
        leg = shapes.tube(path, radii, corners=12 if round_leg else 16, exponent=2.0 if round_leg else 8.0)
        left.append(("leg", leg))
        feet[place] = foot
        points[f"foot_{place}_left"] = (foot[0], foot[1], 0.0)
        points[f"foot_{place}_right"] = (foot[0], -foot[1], 0.0)
    parts = left + [("leg", shapes.mirror(mesh)) for _, mesh in left]
    if rng.random() < 0.4:
        parts += _stretchers(rng, frame, feet["front"], feet["rear"])
    return parts


def _stretchers(rng: np.random.Generator, frame: _Frame, front: np.ndarray, rear: np.ndarray) -> list[Shape]:
    height, radius = rng.uniform(0.2, 0.6) * frame.seat, 0.6 * frame.leg
    up = np.array([0, 0, height])
    bar = shapes.tube(shapes.line(front, rear) + up, radius)
    across = shapes.line(front, front * [1, -1, 1]) + 1.05 * up
    parts: list[Shape] = [("stretcher", bar), ("stretcher", shapes.mirror(bar))]
    if rng.random() < 0.5:
        parts.append(("stretcher", shapes.tube(across, radius)))
    return parts


def _back(rng: np.random.Generator, frame: _Frame, taper: float, points: dict[str, Point]) -> list[Shape]:
    thick = rng.uniform(0.018, 0.06)
    bottom_half = frame.width / 2 * taper
    top_half = bottom_half * rng.uniform(0.75, 1.1)
    x, z0 = -frame.depth / 2, frame.seat - 0.3 * frame.thickness
    z1 = frame.seat + frame.back
    style = rng.choice(["panel", "panel", "ladder", "spindles"])

    def board(low: float, high: float, inset: float = 0.0) -> trimesh.Trimesh:
        rings = []
        for z in np.linspace(low, high, 5):
            t = (z - z0) / (z1 - z0)
            half = bottom_half + (top_half - bottom_half) * t - inset
            center = (x + thick / 2 - frame.lean * t, 0.0, z)
            rings.append(shapes.rounded(center, (thick / 2, 0, 0), (0, half, 0), 10.0, 24))
        return shapes.loft(rings)

    for side, sign in (("left", 1), ("right", -1)):
        points[f"back_{side}"] = (x + thick / 2 - frame.lean, sign * top_half, z1)
    points["back_top"] = (x + thick / 2 - frame.lean, 0.0, z1)
    if style == "panel":
        low = z0 + (rng.uniform(0.1, 0.4) * frame.back if rng.random() < 0.4 else 0.0)
        return [("back", board(low, z1)), *(_posts(frame, x, z0, z1, bottom_half, top_half, thick))]
    rail = rng.uniform(0.05, 0.12)
    parts: list[Shape] = [("back", board(z1 - rail, z1))]
    if style == "ladder":
        for z in np.linspace(z0 + 0.12, z1 - rail - 0.1, int(rng.integers(1, 4))):
            parts.append(("back", board(z, z + 0.6 * rail)))
    else:
        for y in np.linspace(-0.8, 0.8, int(rng.integers(3, 7))):
            foot = (x + thick / 2, y * bottom_half, z0)
            head = (x + thick / 2 - frame.lean, y * top_half, z1 - 0.01)
            parts.append(("back", shapes.tube(shapes.line(foot, head), 0.009)))
    return parts + _posts(frame, x, z0, z1, bottom_half, top_half, thick)


def _posts(
    frame: _Frame, x: float, z0: float, z1: float, bottom_half: float, top_half: float, thick: float
) -> list[Shape]:
    radius = 0.45 * thick
    low = (x + thick / 2, bottom_half - radius, z0)
    high = (x + thick / 2 - frame.lean, top_half - radius, z1 - 0.002)
    post = shapes.tube(shapes.line(low, high), radius)
    return [("back", post), ("back", shapes.mirror(post))]


def _armrests(rng: np.random.Generator, frame: _Frame, taper: float) -> list[Shape]:
    height, half = rng.uniform(0.16, 0.26), rng.uniform(0.016, 0.035)
    y, x0, x1 = frame.width / 2, -frame.depth / 2 - 0.01, frame.depth / 2 * rng.uniform(0.4, 1.0)
    z = frame.seat + height
    lean = frame.lean * height / frame.back
    top = shapes.box((x0 - lean, y - half, z - 0.015), (x1, y + half, z + 0.015))
    post = shapes.box((x1 - 0.04, y - 0.015, frame.seat - 0.5 * frame.thickness), (x1 - 0.01, y + 0.015, z))
    pieces: list[Shape] = [("armrest", top), ("armrest", post)]
    return pieces + [(name, shapes.mirror(mesh)) for name, mesh in pieces]
