"""Mugs: the handle points backwards (-x), on the mirror plane."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import trimesh

from semcorr_lab.synthetic import shapes
from semcorr_lab.synthetic.categories import described
from semcorr_lab.synthetic.dress import Point, dress
from semcorr_lab.synthetic.instance import Instance

INFO = described(
    "mug",
    "rim_front rim_back rim_left rim_right base_front base_back base_left base_right handle_top handle_outer "
    "handle_bottom inside_bottom",
    "rim_front-rim_left rim_left-rim_back rim_back-rim_right rim_right-rim_front "
    "base_front-base_left base_left-base_back base_back-base_right base_right-base_front "
    "rim_front-base_front rim_left-base_left rim_right-base_right rim_back-base_back "
    "handle_top-handle_outer handle_outer-handle_bottom",
)


def generate(rng: np.random.Generator) -> Instance:
    """Make a mug of 7-13 cm: straight, conical or bellied, with a round or a square handle."""
    height, radius = rng.uniform(0.075, 0.125), rng.uniform(0.033, 0.052)
    wall = rng.uniform(0.003, 0.006)
    base_radius, belly = radius * rng.uniform(0.7, 1.05), radius * rng.uniform(-0.06, 0.14)
    floor = rng.uniform(0.005, 0.012)
    exponent = rng.choice([2.0, 2.0, 2.0, 4.0])

    def outer(z: np.ndarray | float) -> np.ndarray:
        t = np.asarray(z) / height
        return base_radius + (radius - base_radius) * t + belly * np.sin(np.pi * t)

    z_out = np.linspace(0, height, 10)
    z_in = np.linspace(height - 0.4 * wall, floor, 8)
    profile = [(1e-5, 0.0), (float(outer(0)) * 0.9, 0.0)]
    profile += [(float(outer(z)), float(z) + (0.002 if i == 0 else 0)) for i, z in enumerate(z_out)]
    profile += [(float(outer(z)) - wall, float(z)) for z in z_in] + [(1e-5, floor)]
    body = shapes.revolve(profile, segments=48, exponent=float(exponent))
    handle, points = _handle(rng, height, outer)
    # A superellipse bulges in its diagonals only: on the axes its radius is that of the profile.
    around = {"front": (1, 0), "back": (-1, 0), "left": (0, 1), "right": (0, -1)}
    rim, base = float(outer(height)) - 0.5 * wall, float(outer(0))
    for side, (x, y) in around.items():
        points[f"rim_{side}"] = (x * rim, y * rim, height)
        points[f"base_{side}"] = (x * base, y * base, 0.002)
    points["inside_bottom"] = (0.0, 0.0, floor)
    return dress(rng, INFO, [("body", body), ("handle", handle)], points)


def _handle(
    rng: np.random.Generator, height: float, outer: Callable[[np.ndarray], np.ndarray]
) -> tuple[trimesh.Trimesh, dict[str, Point]]:
    thickness = rng.uniform(0.004, 0.0075)
    top = height * rng.uniform(0.78, 0.9)
    bottom = height * rng.uniform(0.14, 0.32)
    reach = rng.uniform(0.024, 0.042)
    squareness = rng.choice([2.0, 2.0, 3.0, 6.0])
    droop = rng.uniform(-0.15, 0.15)
    t = np.linspace(-np.pi / 2, np.pi / 2, 22)
    along = np.sign(np.cos(t)) * np.abs(np.cos(t)) ** (2 / squareness)
    across = np.sign(np.sin(t)) * np.abs(np.sin(t)) ** (2 / squareness)
    z = (top + bottom) / 2 + (top - bottom) / 2 * (across + droop * along)
    wall_x = -np.asarray(outer(np.array([bottom, top])))
    start = np.interp(z, [bottom, top], wall_x) + 0.5 * thickness
    path = np.stack([start - reach * along, np.zeros_like(t), z], 1)
    mesh = shapes.tube(path, thickness, corners=12, flatten=rng.uniform(0.9, 1.7))
    middle = path[len(path) // 2]
    outermost = path[int(path[:, 0].argmin())]
    quarter = len(path) // 4
    upper, lower = path[-1 - quarter], path[quarter]
    points = {
        "handle_top": (float(upper[0]), 0.0, float(upper[2] + thickness)),
        "handle_outer": (float(outermost[0] - thickness), 0.0, float(middle[2])),
        "handle_bottom": (float(lower[0]), 0.0, float(lower[2] - thickness)),
    }
    return mesh, points
