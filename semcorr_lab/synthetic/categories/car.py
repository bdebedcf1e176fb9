"""Cars: sedans, hatchbacks, estates, vans and pickups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import trimesh

from semcorr_lab.synthetic import shapes
from semcorr_lab.synthetic.categories import described
from semcorr_lab.synthetic.dress import Point, Shape, dress
from semcorr_lab.synthetic.instance import Instance

INFO = described(
    "car",
    "wheel_front_left wheel_front_right wheel_rear_left wheel_rear_right headlight_left headlight_right "
    "taillight_left taillight_right roof_front_left roof_front_right roof_rear_left roof_rear_right "
    "mirror_left mirror_right",
    "wheel_front_left-wheel_rear_left wheel_front_right-wheel_rear_right "
    "headlight_left-headlight_right taillight_left-taillight_right "
    "headlight_left-wheel_front_left headlight_right-wheel_front_right "
    "taillight_left-wheel_rear_left taillight_right-wheel_rear_right "
    "roof_front_left-roof_front_right roof_rear_left-roof_rear_right "
    "roof_front_left-roof_rear_left roof_front_right-roof_rear_right "
    "mirror_left-roof_front_left mirror_right-roof_front_right",
)

# Shares of the length, from the front: windshield bottom, roof front, roof rear, rear window bottom.
_STYLES = {
    "sedan": (0.30, 0.43, 0.68, 0.84),
    "hatchback": (0.27, 0.42, 0.84, 0.97),
    "estate": (0.28, 0.41, 0.92, 0.985),
    "van": (0.10, 0.24, 0.96, 0.99),
    "pickup": (0.27, 0.39, 0.52, 0.56),
}


@dataclass(frozen=True)
class _Body:
    """Lengths in metres."""

    style: str
    length: float
    width: float
    clearance: float
    belt: float  # height of the lower edge of the windows
    roof: float
    hood: float  # height of the nose
    wheel: float  # radius
    axle_front: float  # x
    axle_rear: float
    stations: tuple[float, float, float, float]  # x of the style's four shares

    def half_width(self, x: float) -> float:
        """Return half the width of the body at a station: narrower at both ends."""
        t = 2 * x / self.length
        return self.width / 2 * (1 - 0.12 * abs(t) ** 4)


def generate(rng: np.random.Generator) -> Instance:
    """Make a car of 3.2-5.4 m; origin on the ground below the middle."""
    body = _sample_body(rng)
    points: dict[str, Point] = {}
    parts = _hull(rng, body, points)
    parts += _cabin(body, points)
    for left in (_wheels(rng, body, points), _mirrors(rng, body, points)):
        parts += left + [(name, shapes.mirror(mesh)) for name, mesh in left]
    if rng.random() < 0.25 and body.style in ("sedan", "hatchback"):
        parts += _spoiler(rng, body)
    for name, (x, y, z) in list(points.items()):
        points[name.replace("left", "right")] = (x, -y, z)
    return dress(rng, INFO, parts, points)


def _sample_body(rng: np.random.Generator) -> _Body:
    style = str(rng.choice(list(_STYLES)))
    tall = style in ("van", "pickup")
    length = rng.uniform(3.9, 5.3) if style != "hatchback" else rng.uniform(3.2, 4.3)
    clearance, wheel = rng.uniform(0.14, 0.28), rng.uniform(0.28, 0.4)
    belt = rng.uniform(0.85, 1.05) + (0.12 if tall else 0.0)
    shares = np.array(_STYLES[style]) + rng.uniform(-0.025, 0.025, 4)
    shares[3] = np.clip(shares[3], shares[2] + 0.015, 0.99)
    x = length * (0.5 - shares)
    return _Body(
        style=style,
        length=length,
        width=rng.uniform(1.6, 2.05),
        clearance=clearance,
        belt=belt,
        roof=belt + rng.uniform(0.42, 0.62) + (0.35 if style == "van" else 0.0),
        hood=belt * rng.uniform(0.7, 0.92),
        wheel=wheel,
        axle_front=length * rng.uniform(0.29, 0.34),
        axle_rear=-length * rng.uniform(0.27, 0.34),
        stations=(float(x[0]), float(x[1]), float(x[2]), float(x[3])),
    )


def _hull(rng: np.random.Generator, body: _Body, points: dict[str, Point]) -> list[Shape]:
    half = body.length / 2
    windshield, _, _, rear = body.stations
    deck = (
        body.belt * rng.uniform(0.82, 1.0) if body.style == "pickup" else body.belt * rng.uniform(0.92, 1.0)
    )
    nose_low = body.clearance + rng.uniform(0.05, 0.15)
    # x, lower z, upper z of the sections from the rear to the front.
    tops = [(-half, deck - 0.06), (-half * 0.96, deck), (rear, body.belt if rear > -half * 0.9 else deck)]
    tops += [(windshield, body.belt), (half * 0.93, body.hood), (half, body.hood - rng.uniform(0.05, 0.2))]
    stations = np.unique(np.r_[np.linspace(-half, half, 25), [x for x, _ in tops]])
    known = sorted(tops)
    top = np.interp(stations, [x for x, _ in known], [z for _, z in known])
    ends = np.abs(stations) > half * 0.94
    low = np.where(ends, nose_low, body.clearance)
    rings = [
        _ring(float(x), body.half_width(float(x)), float(a), float(b))
        for x, a, b in zip(stations, low, top, strict=True)
    ]
    lights = _lights(rng, body, float(top[-1]), float(top[0]), points)
    return [("body", shapes.loft(rings)), *lights]


def _ring(x: float, half_width: float, low: float, high: float, exponent: float = 7.0) -> shapes.Section:
    center = (x, 0.0, (low + high) / 2)
    return shapes.rounded(center, (0, half_width, 0), (0, 0, (high - low) / 2), exponent, 28)


def _lights(
    rng: np.random.Generator, body: _Body, front_top: float, rear_top: float, points: dict[str, Point]
) -> list[Shape]:
    half, wide, tall = body.length / 2, rng.uniform(0.09, 0.17), rng.uniform(0.05, 0.09)
    parts: list[Shape] = []
    for name, x, out, top in (("headlight", half, 1, front_top), ("taillight", -half, -1, rear_top)):
        y = body.half_width(half) * 0.92 - wide
        z = top - tall - 0.07
        low, high = sorted((x - 0.05 * out, x + 0.02 * out))
        light = shapes.box((low, y - wide, z - tall), (high, y + wide, z + tall))
        parts += [(name, light), (name, shapes.mirror(light))]
        points[f"{name}_left"] = (x + 0.02 * out, y, z)
    return parts


def _cabin(body: _Body, points: dict[str, Point]) -> list[Shape]:
    windshield, front, rear, back = body.stations
    low, high = body.belt - 0.03, body.roof
    base, top = 0.96, 0.80 if body.style != "van" else 0.88

    def outline(z_share: float, grow: float = 0.0) -> np.ndarray:
        width = body.width / 2 * (base + (top - base) * z_share) + grow
        a = windshield + (front - windshield) * z_share + grow
        b = back + (rear - back) * z_share - grow
        z = low + (high - low) * z_share
        return np.array([[a, -width, z], [a, width, z], [b, width, z], [b, -width, z]])

    glass = shapes.loft([outline(0.0), outline(1.0)])
    roof_bottom, roof_top = outline(0.93, 0.015), outline(1.0, 0.015) + np.array([0, 0, 0.03])
    parts: list[Shape] = [("window", glass), ("roof", shapes.loft([roof_bottom, roof_top]))]
    points["roof_front_left"] = tuple(roof_top[1])
    points["roof_rear_left"] = tuple(roof_top[2])
    middle = (outline(0.0)[1:3].mean(0), outline(1.0)[1:3].mean(0))
    for start, end in ((outline(0.0)[1], outline(1.0)[1]), (outline(0.0)[2], outline(1.0)[2]), middle):
        pillar = shapes.tube(shapes.line(start, end), 0.035, corners=8)
        parts += [("roof", pillar), ("roof", shapes.mirror(pillar))]
    if body.style == "van":
        # A closed cargo wall instead of the rear side windows.
        a, b = middle[0][0], back + 0.05
        wall = shapes.box(
            (b, body.width / 2 * 0.9, low), (a, body.width / 2 * 0.985, high - 0.05), (0.97, 0.6)
        )
        parts += [("body", wall), ("body", shapes.mirror(wall))]
    return parts


def _wheels(rng: np.random.Generator, body: _Body, points: dict[str, Point]) -> list[Shape]:
    thick = rng.uniform(0.17, 0.26)
    hub, depth = body.wheel * rng.uniform(0.5, 0.75), rng.uniform(-0.01, 0.03)
    outside = body.width / 2 + 0.03
    profile = [(1e-4, -thick / 2), (body.wheel * 0.92, -thick / 2), (body.wheel, -thick / 3)]
    profile += [(body.wheel, thick / 3), (body.wheel * 0.92, thick / 2), (1e-4, thick / 2)]
    cap = [
        (hub, 0.0),
        (hub, thick / 2 + 0.004),
        (hub * 0.5, thick / 2 + depth * 0.6 + 0.006),
        (1e-4, thick / 2 + 0.006 + max(depth, 0)),
    ]
    parts: list[Shape] = []
    for place, x in (("front", body.axle_front), ("rear", body.axle_rear)):
        for name, outline in (("wheel", profile), ("hub", cap)):
            wheel = shapes.revolve(outline, segments=28)
            # The profile's z axis becomes +y, outwards on the left side.
            turned = np.array(wheel.vertices)[:, [0, 2, 1]] * [-1, 1, 1]
            turned += [x, outside - thick / 2, body.wheel]
            parts.append((name, trimesh.Trimesh(turned, wheel.faces, process=False)))
        points[f"wheel_{place}_left"] = (x, outside + 0.006 + max(depth, 0), body.wheel)
    return parts


def _mirrors(rng: np.random.Generator, body: _Body, points: dict[str, Point]) -> list[Shape]:
    x = body.stations[0] + 0.35 * (body.stations[1] - body.stations[0])
    y, z = body.width / 2 * 0.97, body.belt + 0.09
    out, tall = rng.uniform(0.15, 0.24), rng.uniform(0.07, 0.12)
    mirror = shapes.box((x - 0.05, y, z - tall / 2), (x + 0.05, y + out, z + tall / 2), (0.7, 0.9))
    arm = shapes.box((x - 0.03, y - 0.1, z - tall / 2 - 0.02), (x + 0.03, y + 0.04, z - tall / 2 + 0.03))
    points["mirror_left"] = (x, y + out * 0.95, z)
    return [("mirror", mirror), ("mirror", arm)]


def _spoiler(rng: np.random.Generator, body: _Body) -> list[Shape]:
    half, x = body.width * 0.36, -body.length / 2
    z = body.belt + rng.uniform(0.12, 0.25)
    wing = shapes.box((x, -half, z), (x + 0.25, half, z + 0.04))
    foot = shapes.box((x + 0.06, half * 0.6, body.belt * 0.85), (x + 0.16, half * 0.6 + 0.05, z + 0.01))
    return [("spoiler", wing), ("spoiler", foot), ("spoiler", shapes.mirror(foot))]
