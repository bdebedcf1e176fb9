"""Keypoints as what is drawn of them, without ROS: shapes in space, and an overlay on the picture.

Instances are messages of keypoints: those of a node, or those of a bag, which have the same fields.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from semcorr_ros.artifacts import KeypointState

DIAMETER = 0.06  # of a keypoint, as a share of the object's extent
RADIUS_SHARE = 0.008  # of the longer side of the image
COLORS = {
    KeypointState.VISIBLE: (0.1, 0.9, 0.2),
    KeypointState.OCCLUDED: (1.0, 0.6, 0.0),
    KeypointState.OUT_OF_IMAGE: (0.3, 0.5, 1.0),
    KeypointState.REJECTED: (1.0, 0.1, 0.1),
}
GRAY = (0.6, 0.6, 0.6)
LINE_LIST, SPHERE_LIST, TEXT = 5, 7, 9  # `type` of visualization_msgs/Marker
LIFETIME = 2  # seconds: a picture of a node that died must not stay

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Shape:
    """One marker; lengths in metres, colors in [0, 1]."""

    namespace: str
    kind: int
    scale: Triple
    color: Triple = (0.0, 0.0, 0.0)
    opacity: float = 1.0
    number: int = 0
    position: Triple = (0.0, 0.0, 0.0)
    points: tuple[Triple, ...] = ()
    colors: tuple[Triple, ...] = ()  # of the points
    text: str = ""


def shapes(instances: Sequence[Any]) -> list[Shape]:
    """Draw every object that has a position: its keypoints, its skeleton, their names."""
    found: list[Shape] = []
    for instance in instances:
        size = _size(instance) * DIAMETER
        if size > 0:
            found += [_points(instance, size), _skeleton(instance, size), *_names(instance, size)]
    return found


def draw_overlay(image: np.ndarray, instances: Sequence[Any]) -> np.ndarray:
    """Draw skeleton, points colored by state, and names on a copy of an RGB image (H, W, 3)."""
    canvas = Image.fromarray(image)
    draw = ImageDraw.Draw(canvas)
    radius = max(2.0, RADIUS_SHARE * max(canvas.size))
    for instance in instances:
        points = [(keypoint.pixel.x, keypoint.pixel.y) for keypoint in instance.keypoints]
        for a, b in zip(instance.edges[0::2], instance.edges[1::2], strict=True):
            if all(map(math.isfinite, (*points[a], *points[b]))):
                draw.line([points[a], points[b]], fill=(230, 230, 230), width=max(1, round(radius / 3)))
        for keypoint, (x, y) in zip(instance.keypoints, points, strict=True):
            if math.isfinite(x) and math.isfinite(y):
                _draw_point(draw, keypoint, x, y, radius)
    return np.asarray(canvas)


def _points(instance: Any, size: float) -> Shape:
    known = [keypoint for keypoint in instance.keypoints if _known(keypoint)]
    return Shape(
        _name(instance, "keypoints"), SPHERE_LIST, (size, size, size),
        points=tuple(map(_at, known)), colors=tuple(_color(keypoint) for keypoint in known),
    )  # fmt: skip


def _skeleton(instance: Any, size: float) -> Shape:
    ends: list[Triple] = []
    for a, b in zip(instance.edges[0::2], instance.edges[1::2], strict=True):
        pair = [instance.keypoints[a], instance.keypoints[b]]
        if all(map(_known, pair)):
            ends += map(_at, pair)
    name = _name(instance, "skeleton")
    return Shape(name, LINE_LIST, (size / 4, 0.0, 0.0), (0.9, 0.9, 0.9), 0.8, points=tuple(ends))


def _names(instance: Any, size: float) -> list[Shape]:
    found = []
    for i, keypoint in enumerate(instance.keypoints):
        if _known(keypoint):
            x, y, z = _at(keypoint)
            found.append(Shape(
                _name(instance, "names"), TEXT, (0.0, 0.0, size), _color(keypoint), number=i,
                position=(x, y - size, z), text=keypoint.name,
            ))  # fmt: skip
    return found


def _name(instance: Any, kind: str) -> str:
    return f"{instance.instance_id or instance.class_name}/{kind}"


def _size(instance: Any) -> float:
    known = [_at(keypoint) for keypoint in instance.keypoints if _known(keypoint)]
    return math.hypot(*(max(axis) - min(axis) for axis in zip(*known, strict=True))) if known else 0.0


def _at(keypoint: Any) -> Triple:
    return float(keypoint.xyz.x), float(keypoint.xyz.y), float(keypoint.xyz.z)


def _known(keypoint: Any) -> bool:
    return math.isfinite(keypoint.xyz.z)


def _color(keypoint: Any) -> Triple:
    return COLORS.get(KeypointState(keypoint.state), GRAY)


def _draw_point(draw: ImageDraw.ImageDraw, keypoint: Any, x: float, y: float, radius: float) -> None:
    color = tuple(round(255 * share) for share in _color(keypoint))
    draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=color, outline=(0, 0, 0))
    draw.text(
        (x + 1.5 * radius, y - radius), keypoint.name, fill=color, stroke_width=1, stroke_fill=(0, 0, 0)
    )
