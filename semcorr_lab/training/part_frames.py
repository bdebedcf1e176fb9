"""Folded part coordinates: mirrored points and points of repeated parts share one coordinate.

Object frame: x front, y left, z up, metres; the plane y = 0 mirrors left and right. Folding maps a
point to (x, |y|, z), or to (radius, 0, z) for a class whose rotation about z cannot be observed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import trimesh
from jaxtyping import Float, Int

# Alike on the same side of an object: each has its own box. Parts of any other name share one box,
# since they make up one thing together (the posts and rails of a back).
REPEATED = frozenset({"leg", "wheel", "hub", "engine", "pylon"})
_THINNEST = 1e-3  # of the object: a planar part must not be divided by zero
_OUTSIDE = 1.25  # box coordinates are clipped here


@dataclass(frozen=True)
class PartFrames:
    """The box of every part of one instance, folded object frame, metres."""

    names: tuple[str, ...]
    center: Float[np.ndarray, "part 3"]
    half: Float[np.ndarray, "part 3"]  # half extents
    middle: Float[np.ndarray, "3"]  # of the whole object; y is 0
    size: float  # largest extent of the whole object
    symmetric: bool


def part_frames(parts: Sequence[tuple[str, np.ndarray]], symmetric: bool = False) -> PartFrames:
    """Compute the boxes of (name, vertices (V, 3)) parts.

    Raises ValueError when there is no part or one has no vertices.
    """
    if not parts or any(len(vertices) == 0 for _, vertices in parts):
        raise ValueError("an instance needs at least one part, and every part needs vertices")
    names = tuple(name for name, _ in parts)
    corners = np.array([_folded_box(vertices, symmetric) for _, vertices in parts])  # (P, 2, 3)
    boxes = corners.copy()
    for name in set(names) - REPEATED:
        rows = [i for i, other in enumerate(names) if other == name]
        boxes[rows] = np.stack([corners[rows, 0].min(0), corners[rows, 1].max(0)])
    everything = np.concatenate([vertices for _, vertices in parts])
    low, high = everything.min(0), everything.max(0)
    size = float((high - low).max())
    half = np.maximum((boxes[:, 1] - boxes[:, 0]) / 2, _THINNEST * size)
    middle = (low + high) / 2 * [0 if symmetric else 1, 0, 1]
    return PartFrames(names, boxes.mean(1), half, middle, size, symmetric)


def fold(
    points: Float[np.ndarray, "point 3"], part: Int[np.ndarray, "point"], frames: PartFrames
) -> Float[np.ndarray, "point 3"]:
    """Compute box coordinates, about [-1, 1], of object-frame points on the given parts."""
    local = (_folded(points, frames.symmetric) - frames.center[part]) / frames.half[part]
    return np.clip(local, -_OUTSIDE, _OUTSIDE)


def nearest_part(
    points: Float[np.ndarray, "point 3"], parts: Sequence[Float[np.ndarray, "face 3 3"]]
) -> Int[np.ndarray, "point"]:
    """Find the part whose triangles come closest to each point; ties go to the first part."""
    distance = np.empty((len(parts), len(points)))
    for row, triangles in zip(distance, parts, strict=True):
        for i, point in enumerate(points):
            repeated = np.broadcast_to(point, (len(triangles), 3))
            closest = trimesh.triangles.closest_point(triangles, repeated)
            row[i] = np.linalg.norm(closest - point, axis=1).min()
    return distance.argmin(0)


def _folded(points: Float[np.ndarray, "point 3"], symmetric: bool) -> Float[np.ndarray, "point 3"]:
    x, y, z = points.T
    if symmetric:
        return np.stack([np.hypot(x, y), np.zeros_like(y), z], 1)
    return np.stack([x, np.abs(y), z], 1)


def _folded_box(vertices: Float[np.ndarray, "vertex 3"], symmetric: bool) -> Float[np.ndarray, "2 3"]:
    folded = _folded(vertices, symmetric)
    low, high = folded.min(0), folded.max(0)
    # Between its vertices, a part that crosses the fold reaches it.
    if symmetric:
        low[0] = 0.0
    elif vertices[:, 1].min() < 0 < vertices[:, 1].max():
        low[1] = 0.0
    return np.stack([low, high])
