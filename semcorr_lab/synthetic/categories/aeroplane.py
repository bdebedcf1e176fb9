"""Small aircraft with two or four engines below or above the wings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import trimesh

from semcorr_lab.synthetic import shapes
from semcorr_lab.synthetic.categories import described
from semcorr_lab.synthetic.dress import Point, Shape, dress
from semcorr_lab.synthetic.instance import Instance

INFO = described(
    "aeroplane",
    "nose cockpit tail fin_top wing_tip_left wing_tip_right wing_front_left wing_front_right wing_rear_left "
    "wing_rear_right engine_left engine_right stabilizer_left stabilizer_right",
    "nose-cockpit cockpit-fin_top fin_top-tail nose-wing_front_left nose-wing_front_right "
    "wing_front_left-wing_tip_left wing_front_right-wing_tip_right "
    "wing_rear_left-wing_tip_left wing_rear_right-wing_tip_right "
    "wing_rear_left-tail wing_rear_right-tail tail-stabilizer_left tail-stabilizer_right",
)


@dataclass(frozen=True)
class _Wing:
    """One lifting surface on the left; lengths in metres, x of the leading edge at the root."""

    x: float
    y: float  # where it starts
    z: float
    span: float
    chord: float
    taper: float  # chord at the tip over that at the root
    sweep: float  # how far the tip's leading edge is behind the root's
    rise: float  # how far the tip is above the root
    thickness: float  # share of the chord

    def section(self, share: float) -> shapes.Section:
        """Outline a section at a share of the span."""
        chord = self.chord * (1 + (self.taper - 1) * share)
        front = self.x - self.sweep * share
        center = (front - chord / 2, self.y + self.span * share, self.z + self.rise * share)
        return shapes.rounded(center, (0, 0, chord * self.thickness / 2), (chord / 2, 0, 0), 2.0, 20)

    def edge(self, share: float, rear: bool = False) -> Point:
        """Return a point of the leading or trailing edge."""
        chord = self.chord * (1 + (self.taper - 1) * share)
        x = self.x - self.sweep * share - (chord if rear else 0.0)
        return (x, self.y + self.span * share, self.z + self.rise * share)

    def mesh(self) -> trimesh.Trimesh:
        """Skin from root to tip."""
        return shapes.loft([self.section(share) for share in np.linspace(0, 1, 4)])


def generate(rng: np.random.Generator) -> Instance:
    """Make an airliner-like aircraft scaled to 5-8 m, so that its distance fits 16-bit millimetres."""
    length = rng.uniform(5.0, 8.0)
    radius = length * rng.uniform(0.045, 0.075)
    points: dict[str, Point] = {}
    parts = _fuselage(rng, length, radius, points)
    wing = _wing(rng, length, radius)
    points["wing_front_left"] = wing.edge(_beside(wing, radius))
    points["wing_rear_left"] = wing.edge(_beside(wing, radius), rear=True)
    points["wing_tip_left"] = wing.edge(1.0)
    left: list[Shape] = [("wing", wing.mesh())]
    left += _engines(rng, wing, radius, points)
    fin, stabilizer = _tail(rng, length, radius, points)
    left.append(("stabilizer", stabilizer))
    parts += [("fin", fin), *left, *[(name, shapes.mirror(mesh)) for name, mesh in left]]
    for name, (x, y, z) in list(points.items()):
        points[name.replace("left", "right")] = (x, -y, z)
    return dress(rng, INFO, parts, points)


def _beside(wing: _Wing, radius: float) -> float:
    return (1.05 * radius - wing.y) / wing.span


def _fuselage(
    rng: np.random.Generator, length: float, radius: float, points: dict[str, Point]
) -> list[Shape]:
    nose, tail = rng.uniform(0.1, 0.2) * length, rng.uniform(0.25, 0.38) * length
    half, lift = length / 2, radius * rng.uniform(0.3, 0.7)
    exponent = rng.uniform(1.6, 2.6)

    def ring(x: float, grow: float = 1.0) -> tuple[float, float]:
        ahead, behind = max(x - (half - nose), 0) / nose, max(-half + tail - x, 0) / tail
        r = radius * max(1 - ahead**exponent, 0.0) ** (1 / exponent) * (1 - 0.85 * behind**1.6)
        return max(r, 0.004) * grow, lift * behind**1.5 - 0.2 * radius * ahead**2

    # Closer stations towards the nose, where the outline is steep.
    stations = np.r_[
        np.linspace(-half, half - nose, 14), half - nose * (1 - np.sin(np.linspace(0.2, np.pi / 2, 9)))
    ]
    rings = []
    for x in stations:
        r, z = ring(float(x))
        rings.append(shapes.rounded((x, 0, z), (0, r, 0), (0, 0, r), 2.0, 24))
    x0 = half - nose * rng.uniform(0.85, 1.0)
    xs, angles = np.linspace(x0, x0 + 0.45 * nose, 6), np.linspace(-0.9, 0.9, 11)
    grid = np.empty((len(xs), len(angles), 3))
    for i, x in enumerate(xs):
        r, z = ring(float(x), 1.015)
        grid[i] = np.stack([np.full_like(angles, x), r * np.sin(angles), z + r * np.cos(angles)], 1)
    points["nose"] = (half, 0.0, -0.2 * radius)
    points["tail"] = (-half, 0.0, ring(-half)[1])
    middle = grid[len(xs) // 2, len(angles) // 2]
    points["cockpit"] = (float(middle[0]), 0.0, float(middle[2]))
    return [("fuselage", shapes.loft(rings)), ("cockpit", shapes.patch(grid))]


def _wing(rng: np.random.Generator, length: float, radius: float) -> _Wing:
    span, high = length * rng.uniform(0.38, 0.55), rng.random() < 0.3
    return _Wing(
        x=length * rng.uniform(0.06, 0.18),
        y=0.3 * radius,
        z=radius * (0.75 if high else -0.55),
        span=span,
        chord=length * rng.uniform(0.16, 0.26),
        taper=rng.uniform(0.3, 0.75),
        sweep=span * rng.uniform(0.1, 0.6),
        rise=span * (rng.uniform(-0.04, 0.05) if high else rng.uniform(0.02, 0.14)),
        thickness=rng.uniform(0.1, 0.16),
    )


def _engines(rng: np.random.Generator, wing: _Wing, radius: float, points: dict[str, Point]) -> list[Shape]:
    size, long = radius * rng.uniform(0.42, 0.65), radius * rng.uniform(1.8, 3.2)
    drop = -1.0 if rng.random() < 0.75 else 1.0
    shares = [rng.uniform(0.28, 0.4)] + ([rng.uniform(0.6, 0.7)] if rng.random() < 0.3 else [])
    bulb = rng.uniform(0.0, 0.5)  # of the spinner or the intake's cone
    parts: list[Shape] = []
    for i, share in enumerate(shares):
        x, y, z = wing.edge(share)
        front, center = x + 0.35 * long, z + drop * 1.05 * size
        profile = [
            (0.5, -0.65),
            (0.85, -0.3),
            (1.0, 0.1),
            (0.92, 0.35),
            (0.6, 0.35),
            (1e-3, 0.35 + 0.25 * bulb),
        ]
        rings = [
            shapes.rounded((x + long * along, y, center), (0, size * r, 0), (0, 0, size * r), 2.0, 20)
            for r, along in profile
        ]
        parts.append(("engine", shapes.loft(rings)))
        thick = 0.12 * wing.chord
        low, high = sorted((center, z + 0.1 * drop))
        pylon = shapes.box((x - 0.45 * long, y - 0.25 * thick, low), (x, y + 0.25 * thick, high))
        parts.append(("pylon", pylon))
        if i == 0:
            points["engine_left"] = (front + 0.25 * bulb * long, y, center)
    return parts


def _tail(
    rng: np.random.Generator, length: float, radius: float, points: dict[str, Point]
) -> tuple[trimesh.Trimesh, trimesh.Trimesh]:
    height, chord = length * rng.uniform(0.13, 0.2), length * rng.uniform(0.12, 0.19)
    taper, sweep = rng.uniform(0.35, 0.7), length * rng.uniform(0.05, 0.13)
    front, base = -length / 2 + chord * rng.uniform(1.0, 1.25), 0.2 * radius
    # A fin is a wing standing up: built along y, then turned.
    fin = _Wing(front, base, 0.0, height + radius, chord, taper, sweep, 0.0, 0.1)
    mesh = fin.mesh()
    upright = trimesh.Trimesh(np.array(mesh.vertices)[:, [0, 2, 1]], mesh.faces[:, ::-1], process=False)
    x, top, _ = fin.edge(1.0, rear=False)
    points["fin_top"] = (x - 0.5 * chord * taper, 0.0, top)
    on_top = rng.random() < 0.3
    share = 0.9 if on_top else 0.0
    low = fin.edge(share)
    span = length * rng.uniform(0.15, 0.22)
    stabilizer = _Wing(
        x=low[0] if on_top else front * 1.0 - 0.1 * chord,
        y=0.0 if on_top else 0.1 * radius,
        z=low[1] if on_top else 0.45 * radius,
        span=span,
        chord=chord * rng.uniform(0.55, 0.75),
        taper=rng.uniform(0.4, 0.75),
        sweep=span * rng.uniform(0.2, 0.6),
        rise=0.0 if on_top else span * rng.uniform(0.0, 0.15),
        thickness=0.1,
    )
    points["stabilizer_left"] = stabilizer.edge(1.0)
    return upright, stabilizer.mesh()
