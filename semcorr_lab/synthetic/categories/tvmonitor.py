"""TVs and monitors, shown from the front only (`flat`): all but the stand lies in one plane."""

from __future__ import annotations

import numpy as np
import trimesh

from semcorr_lab.synthetic import shapes
from semcorr_lab.synthetic.categories import described
from semcorr_lab.synthetic.dress import Point, Shape, dress
from semcorr_lab.synthetic.instance import Instance

INFO = described(
    "tvmonitor",
    "frame_top_left frame_top_right frame_bottom_left frame_bottom_right screen_top_left screen_top_right "
    "screen_bottom_left screen_bottom_right frame_top frame_bottom stand_left stand_right",
    "frame_top_left-frame_top frame_top-frame_top_right frame_top_right-frame_bottom_right "
    "frame_bottom_right-frame_bottom frame_bottom-frame_bottom_left frame_bottom_left-frame_top_left "
    "screen_top_left-screen_top_right screen_top_right-screen_bottom_right "
    "screen_bottom_right-screen_bottom_left screen_bottom_left-screen_top_left stand_left-stand_right",
    flat=True,
)


def generate(rng: np.random.Generator) -> Instance:
    """Make a screen of 0.4-1.3 m on a foot plate or on two feet, with a flat or a bulky back."""
    width = rng.uniform(0.4, 1.3)
    height = width / rng.choice([16 / 9, 16 / 9, 4 / 3, 16 / 10]) * rng.uniform(0.95, 1.05)
    thick = width * rng.uniform(0.025, 0.07)
    bottom = height * rng.uniform(0.06, 0.25)
    side, above = width * rng.uniform(0.012, 0.06), height * rng.uniform(0.015, 0.08)
    below = above * rng.uniform(1.0, 2.5)
    y, z0, z1 = width / 2, bottom, bottom + height
    frame = shapes.box((-thick, -y, z0), (0, y, z1))
    proud = 0.0015 * width
    screen = shapes.box((-0.5 * thick, -y + side, z0 + below), (proud, y - side, z1 - above))
    points: dict[str, Point] = {"frame_top": (0, 0, z1), "frame_bottom": (0, 0, z0)}
    for name, sign in (("left", 1), ("right", -1)):
        points[f"frame_top_{name}"] = (0, sign * y, z1)
        points[f"frame_bottom_{name}"] = (0, sign * y, z0)
        points[f"screen_top_{name}"] = (proud, sign * (y - side), z1 - above)
        points[f"screen_bottom_{name}"] = (proud, sign * (y - side), z0 + below)
    parts: list[Shape] = [("frame", frame), ("screen", screen)]
    if rng.random() < 0.4:
        parts.append(("back", _bulk(rng, y, z0, z1, thick)))
    stand = _plate if rng.random() < 0.6 else _feet
    parts += stand(rng, (width, thick, bottom), points)
    return dress(rng, INFO, parts, points)


def _bulk(rng: np.random.Generator, y: float, z0: float, z1: float, thick: float) -> trimesh.Trimesh:
    middle, half, shrink = (z0 + z1) / 2, (z1 - z0) / 2, rng.uniform(0.35, 0.8)
    rings = []
    for x, scale in ((-thick - rng.uniform(0.1, 0.5) * y, shrink), (-0.9 * thick, 0.95)):
        rings.append(shapes.rounded((x, 0, middle), (0, y * scale, 0), (0, 0, half * scale), 10.0, 24))
    return shapes.loft(rings)


def _plate(
    rng: np.random.Generator, sizes: tuple[float, float, float], points: dict[str, Point]
) -> list[Shape]:
    width, thick, bottom = sizes
    half, deep, flat = width * rng.uniform(0.14, 0.32), width * rng.uniform(0.08, 0.15), 0.012 * width
    exponent = float(rng.choice([2.0, 4.0, 12.0]))
    center = -0.5 * thick
    rings = [shapes.rounded((center, 0, z), (deep, 0, 0), (0, half, 0), exponent, 32) for z in (0.0, flat)]
    neck = width * rng.uniform(0.02, 0.08)
    post = shapes.box((center - 0.4 * thick, -neck, 0.5 * flat), (center + 0.2 * thick, neck, bottom * 1.2))
    points["stand_left"], points["stand_right"] = (center, half, flat), (center, -half, flat)
    return [("stand", shapes.loft(rings)), ("stand", post)]


def _feet(
    rng: np.random.Generator, sizes: tuple[float, float, float], points: dict[str, Point]
) -> list[Shape]:
    width, thick, bottom = sizes
    y, deep, radius = width * rng.uniform(0.18, 0.42), width * rng.uniform(0.08, 0.14), 0.009 * width
    top = (-0.5 * thick, y, bottom * 1.02)
    parts: list[Shape] = []
    for x in (deep, -deep - thick):
        foot = shapes.tube(shapes.line(top, (x, y * 1.04, radius)), radius)
        parts += [("stand", foot), ("stand", shapes.mirror(foot))]
    points["stand_left"], points["stand_right"] = (deep, y * 1.04, radius), (deep, -y * 1.04, radius)
    return parts
