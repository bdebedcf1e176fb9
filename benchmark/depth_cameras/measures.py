"""How far an answer is off: pure functions of what was answered and what is true. Metres and degrees."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from benchmark.depth_cameras.frames import Truth

RIM = ("rim_front", "rim_back", "rim_left", "rim_right")


@dataclass(frozen=True)
class Errors:
    """Of one answer; None where it makes no statement."""

    pck: float  # share of the annotated keypoints within a tenth of the object's extent
    rim_center_mm: float | None
    rim_diameter_mm: float | None  # found minus true
    axis_deg: float  # of the object's upright axis
    handle_deg: float  # of the handle's direction, about the true axis


def errors(
    truth: Truth,
    pixels: Mapping[str, tuple[float, float]],
    xyz: Mapping[str, tuple[float, float, float]],
    rotation: np.ndarray,
) -> Errors:
    """Measure an answer.

    pixels, xyz: by keypoint, NaN = unknown. rotation: (3, 3) camera_from_canonical (x front, z up).
    """
    found = rim(xyz)
    off = None if found is None else 1000 * float(np.linalg.norm(found[0] - truth.rim_center))
    wide = None if found is None else 1000 * (found[1] - truth.rim_diameter)
    axis = angle_deg(rotation[:, 2], truth.up)
    handle = angle_deg(_across(-rotation[:, 0], truth.up), _across(truth.back, truth.up))
    return Errors(pck(truth, pixels), off, wide, axis, handle)


def pck(truth: Truth, pixels: Mapping[str, tuple[float, float]], alpha: float = 0.1) -> float:
    """Compute the share of the annotated keypoints that are found within `alpha` of the object's extent."""
    unknown = (math.nan, math.nan)
    away = [math.dist(at, pixels.get(name, unknown)) for name, at in truth.keypoints.items()]
    return float(np.mean([distance < alpha * truth.extent for distance in away]))


def rim(xyz: Mapping[str, tuple[float, float, float]]) -> tuple[np.ndarray, float] | None:
    """Measure the centre and mean diameter of the rim; None unless all four of its points have a position."""
    points = np.array([xyz.get(name, (math.nan,) * 3) for name in RIM])
    if not np.isfinite(points).all():
        return None
    front, back, left, right = points
    diameter = (np.linalg.norm(front - back) + np.linalg.norm(left - right)) / 2
    return points.mean(0), float(diameter)


def rotation_matrix(x: float, y: float, z: float, w: float) -> np.ndarray:
    """Convert a unit quaternion to (3, 3)."""
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def angle_deg(a: np.ndarray, b: np.ndarray) -> float:
    """Measure the angle between two directions."""
    cosine = float(a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-12))
    return math.degrees(math.acos(max(-1.0, min(1.0, cosine))))


def _across(direction: np.ndarray, axis: np.ndarray) -> np.ndarray:
    return np.asarray(direction - (direction @ axis) * axis)
