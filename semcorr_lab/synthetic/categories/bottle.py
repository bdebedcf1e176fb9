"""Dispenser bottles: oval, label and nozzle at the front (+x), so that front and back differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import trimesh
from jaxtyping import Float

from semcorr_lab.synthetic import shapes
from semcorr_lab.synthetic.categories import described
from semcorr_lab.synthetic.dress import Point, Shape, dress
from semcorr_lab.synthetic.instance import Instance

INFO = described(
    "bottle",
    "base_front base_back base_left base_right shoulder_left shoulder_right head_top nozzle_tip "
    "label_top_left label_top_right label_bottom_left label_bottom_right",
    "base_front-base_left base_left-base_back base_back-base_right base_right-base_front "
    "base_left-shoulder_left base_right-shoulder_right shoulder_left-head_top "
    "shoulder_right-head_top head_top-nozzle_tip label_top_left-label_top_right "
    "label_top_right-label_bottom_right label_bottom_right-label_bottom_left "
    "label_bottom_left-label_top_left",
)


@dataclass(frozen=True)
class _Body:
    """Lengths in metres."""

    height: float  # up to the shoulder
    shoulder: float  # height of the rounding above it
    half_width: float  # in y
    flatness: float  # half depth over half width
    exponent: float
    bulge: float  # of the middle, share of the half width
    taper: float  # half width at the shoulder over that at the base
    neck: float  # radius

    def width(self, z: np.ndarray | float) -> np.ndarray:
        """Return the half width in y at a height below the shoulder."""
        t = np.asarray(z) / self.height
        return self.half_width * (1 + (self.taper - 1) * t + self.bulge * np.sin(np.pi * t))

    def skin(self, angle: np.ndarray, z: np.ndarray) -> Float[np.ndarray, "*point 3"]:
        """Compute a surface point; angle 0 is the front, a quarter turn the left."""
        c, s = np.cos(angle), np.sin(angle)
        power = 2 / self.exponent
        y = self.width(z)
        return np.stack(
            [self.flatness * y * np.sign(c) * np.abs(c) ** power, y * np.sign(s) * np.abs(s) ** power, z], -1
        )


def generate(rng: np.random.Generator) -> Instance:
    """Make a bottle of 14-34 cm with a pump, a trigger spray or a tilted spout."""
    half_width = rng.uniform(0.03, 0.055)
    body = _Body(
        height=half_width * rng.uniform(2.2, 4.2),
        shoulder=half_width * rng.uniform(0.25, 0.9),
        half_width=half_width,
        flatness=rng.uniform(0.5, 0.9),
        exponent=rng.choice([2.0, 2.5, 4.0]),
        bulge=rng.uniform(-0.15, 0.08),
        taper=rng.uniform(0.8, 1.12),
        neck=rng.uniform(0.011, 0.017),
    )
    points: dict[str, Point] = {}
    for side, angle in (("front", 0.0), ("left", np.pi / 2), ("back", np.pi), ("right", -np.pi / 2)):
        points[f"base_{side}"] = _point(body.skin(np.array(angle), np.array(0.0)))
    for side, sign in (("left", 1), ("right", -1)):
        points[f"shoulder_{side}"] = (0.0, sign * float(body.width(body.height)), body.height)
    head = {"pump": _pump, "trigger": _trigger, "spout": _spout}[
        str(rng.choice(["pump", "trigger", "spout"]))
    ]
    parts = [("body", _hull(body)), ("label", _label(rng, body, points))]
    parts += head(rng, body, points)
    return dress(rng, INFO, parts, points)


def _hull(body: _Body) -> trimesh.Trimesh:
    rings = []
    for z in np.linspace(0, body.height, 9):
        y = float(body.width(z))
        rings.append(_ring(z, body.flatness * y, y, body.exponent))
    end = float(body.width(body.height))
    for t in np.linspace(0, np.pi / 2, 7)[1:]:
        # A quarter ellipse from the body's section to the round neck.
        blend, z = 1 - np.cos(t), body.height + body.shoulder * np.sin(t)
        x = body.flatness * end * (1 - blend) + body.neck * blend
        y = end * (1 - blend) + body.neck * blend
        rings.append(_ring(z, x, y, body.exponent * (1 - blend) + 2 * blend))
    rings.append(_ring(body.height + body.shoulder + 0.01, body.neck, body.neck, 2.0))
    return shapes.loft(rings)


def _ring(z: float, x: float, y: float, exponent: float) -> shapes.Section:
    return shapes.rounded((0, 0, z), (x, 0, 0), (0, y, 0), exponent, 40)


def _label(rng: np.random.Generator, body: _Body, points: dict[str, Point]) -> trimesh.Trimesh:
    low, high = body.height * rng.uniform(0.08, 0.3), body.height * rng.uniform(0.68, 0.95)
    reach = rng.uniform(0.7, 1.1)
    angle, z = np.meshgrid(np.linspace(-reach, reach, 21), np.linspace(low, high, 8))
    grid = body.skin(angle, z)
    grid[..., :2] *= 1.012
    for row, name in ((0, "bottom"), (-1, "top")):
        points[f"label_{name}_right"] = _point(grid[row, 0])
        points[f"label_{name}_left"] = _point(grid[row, -1])
    return shapes.patch(grid)


def _pump(rng: np.random.Generator, body: _Body, points: dict[str, Point]) -> list[Shape]:
    base = body.height + body.shoulder
    collar, stem = body.neck * rng.uniform(1.1, 1.5), rng.uniform(0.004, 0.007)
    high = base + rng.uniform(0.035, 0.065)
    reach, thick = rng.uniform(0.032, 0.06), rng.uniform(0.0045, 0.007)
    head_radius = rng.uniform(0.009, 0.015)
    cap = shapes.revolve([(collar, base - 0.004), (collar, base + 0.016), (stem, base + 0.018), (stem, high)])
    head = shapes.revolve(
        [(head_radius, high - 0.008), (head_radius, high + 0.006), (0.7 * head_radius, high + 0.01)]
    )
    t = np.linspace(0, 1, 8)
    path = np.stack([reach * t, 0 * t, high - rng.uniform(0.0, 0.016) * t**3], 1)
    nozzle = shapes.tube(path, np.interp(t, [0, 1], [thick, 0.7 * thick]))
    points["head_top"] = (0.0, 0.0, high + 0.01)
    points["nozzle_tip"] = _point(path[-1])
    return [("cap", cap), ("head", head), ("nozzle", nozzle)]


def _trigger(rng: np.random.Generator, body: _Body, points: dict[str, Point]) -> list[Shape]:
    base = body.height + body.shoulder
    collar, high = body.neck * rng.uniform(1.1, 1.4), base + rng.uniform(0.05, 0.07)
    back, front = -rng.uniform(0.02, 0.035), rng.uniform(0.025, 0.045)
    half = rng.uniform(0.009, 0.014)
    cap = shapes.revolve(
        [(collar, base - 0.004), (collar, base + 0.02), (0.8 * half, base + 0.026), (0.8 * half, high)]
    )
    rings = [
        shapes.rounded((x, 0, high - 0.012 * lift), (0, half, 0), (0, 0, 0.012 + 0.004 * lift), 5.0)
        for x, lift in ((back, 0.6), (0.0, 0.0), (front, 0.3))
    ]
    tip = shapes.tube(
        shapes.line((front - 0.01, 0, high - 0.002), (front + 0.018, 0, high - 0.002)), 0.6 * half
    )
    t = np.linspace(0, 1, 8)
    lever = np.stack(
        [front * 0.65 + 0.012 * np.sin(2.5 * t), 0 * t, high - 0.008 - rng.uniform(0.03, 0.045) * t], 1
    )
    points["head_top"] = (0.0, 0.0, high + 0.012)
    points["nozzle_tip"] = (front + 0.018, 0.0, high - 0.002)
    trigger = shapes.tube(lever, 0.0035, flatten=2.0)
    return [("cap", cap), ("head", shapes.loft(rings)), ("nozzle", tip), ("trigger", trigger)]


def _spout(rng: np.random.Generator, body: _Body, points: dict[str, Point]) -> list[Shape]:
    base = body.height + body.shoulder
    collar, high = body.neck * rng.uniform(1.15, 1.7), base + rng.uniform(0.018, 0.035)
    cap = shapes.revolve([(collar, base - 0.006), (collar, high - 0.003), (0.85 * collar, high)])
    lean, rise = rng.uniform(0.02, 0.04), rng.uniform(0.012, 0.035)
    start = (0.4 * collar, 0.0, high - 0.006)
    path = shapes.line(start, (start[0] + lean, 0.0, high + rise), 5)
    nozzle = shapes.tube(path, np.linspace(0.5 * collar, 0.2 * collar, 5))
    points["head_top"] = (-0.2 * collar, 0.0, high)
    points["nozzle_tip"] = _point(path[-1])
    return [("cap", cap), ("nozzle", nozzle)]


def _point(xyz: np.ndarray) -> Point:
    return (float(xyz[0]), float(xyz[1]), float(xyz[2]))
