"""Chairs with four legs and a back, with or without armrests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import trimesh

from semcorr_lab.synthetic import shapes
from semcorr_lab.synthetic.categories import described
from semcorr_lab.synthetic.dress import Point, Shape, dress
from semcorr_lab.synthetic.instance import Instance

INFO = described(
    "chair",
    "foot_front_left foot_front_right foot_rear_left foot_rear_right seat_front_left seat_front_right "
    "seat_rear_left seat_rear_right seat_front back_left back_right back_top",
    "foot_front_left-seat_front_left foot_front_right-seat_front_right "
    "foot_rear_left-seat_rear_left foot_rear_right-seat_rear_right "
    "seat_front_left-seat_front seat_front-seat_front_right seat_front_left-seat_rear_left "
    "seat_front_right-seat_rear_right seat_rear_left-seat_rear_right "
    "seat_rear_left-back_left seat_rear_right-back_right back_left-back_top back_top-back_right",
)


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
    """Make a chair of 0.7-1.15 m: dining chair, stool with a back, armchair."""
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


@dataclass(frozen=True)
class _Slab:
    """The upright plane of the back; lengths in metres."""

    x: float  # of its rear side, at the bottom
    z: tuple[float, float]
    half_width: tuple[float, float]  # at the bottom and at the top
    thick: float
    lean: float

    def middle(self, z: float) -> tuple[float, float]:
        """Return x of the middle of the slab and half its width, at a height."""
        t = (z - self.z[0]) / (self.z[1] - self.z[0])
        low, high = self.half_width
        return self.x + self.thick / 2 - self.lean * t, low + (high - low) * t

    def board(self, low: float, high: float) -> trimesh.Trimesh:
        """Make its part between two heights."""
        rings = []
        for z in np.linspace(low, high, 5):
            x, half = self.middle(z)
            rings.append(shapes.rounded((x, 0, z), (self.thick / 2, 0, 0), (0, half, 0), 10.0, 24))
        return shapes.loft(rings)

    def rod(self, share: float, radius: float, inset: float = 0.0) -> trimesh.Trimesh:
        """Make a rod from bottom to top at a share of the half width."""
        (x0, y0), (x1, y1) = (self.middle(z) for z in self.z)
        low = (x0, share * y0 - inset, self.z[0])
        return shapes.tube(shapes.line(low, (x1, share * y1 - inset, self.z[1] - 0.003)), radius)


def _back(rng: np.random.Generator, frame: _Frame, taper: float, points: dict[str, Point]) -> list[Shape]:
    bottom = frame.width / 2 * taper
    slab = _Slab(
        x=-frame.depth / 2,
        z=(frame.seat - 0.3 * frame.thickness, frame.seat + frame.back),
        half_width=(bottom, bottom * rng.uniform(0.75, 1.1)),
        thick=rng.uniform(0.018, 0.06),
        lean=frame.lean,
    )
    z0, z1 = slab.z
    x, half = slab.middle(z1)
    points["back_left"], points["back_right"] = (x, half, z1), (x, -half, z1)
    points["back_top"] = (x, 0.0, z1)
    radius = 0.45 * slab.thick
    post = slab.rod(1.0, radius, inset=radius)
    parts: list[Shape] = [("back", post), ("back", shapes.mirror(post))]
    style = rng.choice(["panel", "panel", "ladder", "spindles"])
    if style == "panel":
        gap = rng.uniform(0.1, 0.4) * frame.back if rng.random() < 0.4 else 0.0
        return [*parts, ("back", slab.board(z0 + gap, z1))]
    rail = rng.uniform(0.05, 0.12)
    parts.append(("back", slab.board(z1 - rail, z1)))
    if style == "ladder":
        for z in np.linspace(z0 + 0.12, z1 - rail - 0.1, int(rng.integers(1, 4))):
            parts.append(("back", slab.board(z, z + 0.6 * rail)))
    else:
        for share in np.linspace(-0.8, 0.8, int(rng.integers(3, 7))):
            parts.append(("back", slab.rod(share, 0.009)))
    return parts


def _armrests(rng: np.random.Generator, frame: _Frame, taper: float) -> list[Shape]:
    height, half = rng.uniform(0.16, 0.26), rng.uniform(0.016, 0.035)
    y, x0, x1 = frame.width / 2, -frame.depth / 2 - 0.01, frame.depth / 2 * rng.uniform(0.4, 1.0)
    z = frame.seat + height
    lean = frame.lean * height / frame.back
    top = shapes.box((x0 - lean, y - half, z - 0.015), (x1, y + half, z + 0.015))
    post = shapes.box((x1 - 0.04, y - 0.015, frame.seat - 0.5 * frame.thickness), (x1 - 0.01, y + 0.015, z))
    pieces: list[Shape] = [("armrest", top), ("armrest", post)]
    return pieces + [(name, shapes.mirror(mesh)) for name, mesh in pieces]
