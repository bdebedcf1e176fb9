"""Objects that stand on planes, from measured depth alone: whatever the class, however small."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from semcorr_ros.artifacts import Camera, DepthMap
from semcorr_ros.geometry.boxes import Box, intersection_over_union, widened
from semcorr_ros.masks._clusters import boxes, footprints, surfaces
from semcorr_ros.masks._pieces import label
from semcorr_ros.masks._planes import NOISE, Plane, largest_plane, points_of


@dataclass(frozen=True)
class StandingConfig:
    """When something counts as standing on a plane. Lengths in metres."""

    least_tolerance: float = 0.004  # of what belongs to a plane
    planes: int = 5
    least_plane: float = 0.05  # share of the measured pixels; of those around a box, twice that
    ring: float = 0.25  # pixels around a box that show what its object stands on, in its longer sides
    fewest: int = 30  # pixels of an object
    jump: float = 0.02  # step in depth at which a surface ends
    closing: float = 0.02  # of a box's longer side: holes and gaps that are closed
    least_side: int = 32  # pixels, of a proposal; less shows too little of any object
    thinnest: float = 0.2  # shorter side of a proposal, in longer ones; the rest of a plane is thinner
    least_area: int = 200  # pixels, of a proposal
    largest: float = 0.7  # of the image's side, of a proposal
    overlap: float = 0.7  # intersection over union from which two proposals are one


@dataclass(frozen=True)
class _Surface:
    """Measured points of a part of an image, and what of it is no plane."""

    points: Tensor  # (h, w, 3) metres
    rest: np.ndarray  # (h, w): measured, and on no plane
    planes: list[Plane]  # largest first


def outline(
    depth: DepthMap, camera: Camera, box: Box, config: StandingConfig = StandingConfig()
) -> Bool[Tensor, "height width"] | None:
    """Outline what stands in a box against the plane that is seen around it.

    None where depth cannot tell: not metric, no plane around the box, or nothing in front of it.
    """
    if not depth.metric:
        return None
    height, width = depth.values.shape
    x, y, w, h = box
    left, top, wide, high = widened(box, (height, width), config.ring)
    part = (slice(top, top + high), slice(left, left + wide))
    inside = np.zeros((height, width), bool)
    inside[y : y + h, x : x + w] = True
    surface = _surface(depth, camera, part, ~inside[part], 2 * config.least_plane, config)
    if not surface.planes:
        return None
    above = surface.planes[0].height(surface.points).numpy() > 0
    standing = surface.rest & above & inside[part]
    pieces = footprints(surface.points, standing, surface.planes[0].normal, config.least_tolerance)
    chosen = _central(pieces, (x - left + w / 2, y - top + h / 2), (w, h))
    if chosen.sum() < config.fewest:
        return None
    found = np.zeros((height, width), bool)
    found[part] = _closed(chosen, max(1, int(config.closing * max(w, h))))
    return torch.from_numpy(found).to(depth.values.device)


def standing(depth: DepthMap, camera: Camera, config: StandingConfig = StandingConfig()) -> list[Box]:
    """Find boxes around whatever stands on planes, largest first. None of them where depth cannot tell."""
    if not depth.metric:
        return []
    height, width = depth.values.shape
    part = (slice(0, height), slice(0, width))
    everywhere = np.ones((height, width), bool)
    surface = _surface(depth, camera, part, everywhere, config.least_plane, config)
    if not surface.planes:
        return []
    rest = cv2.morphologyEx(surface.rest.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) > 0
    found: list[tuple[int, Box]] = []
    z = surface.points[..., 2].numpy()
    for pieces in (
        footprints(surface.points, rest, surface.planes[0].normal, config.least_tolerance),
        surfaces(z, rest, np.maximum(config.jump, 2 * NOISE * z))[0],
    ):
        found += [one for one in boxes(pieces) if _plausible(one, (height, width), config)]
    kept: list[Box] = []
    for _, box in sorted(found, key=lambda one: -one[0]):
        if all(intersection_over_union(box, other) < config.overlap for other in kept):
            kept.append(box)
    return kept


def _surface(
    depth: DepthMap,
    camera: Camera,
    part: tuple[slice, slice],
    ring: Bool[np.ndarray, "h w"],
    least: float,
    config: StandingConfig,
) -> _Surface:
    """Take away the planes seen in a ring, as far as they reach from there."""
    z = depth.values.cpu().nan_to_num(0.0, 0.0, 0.0).clamp_min(0)
    camera = Camera(camera.focal.cpu(), camera.principal_point.cpu(), camera.size)
    points = points_of(z, camera)[part]
    valid = points[..., 2].numpy() > 0
    tolerance = (NOISE * points[..., 2]).clamp_min(config.least_tolerance)
    left, rest, planes = valid & ring, valid.copy(), []
    count = max(int(left.sum()), 1)
    generator = torch.Generator().manual_seed(0)  # fixed: one picture, one answer
    for _ in range(config.planes):
        seen = torch.from_numpy(left)
        plane = largest_plane(points[seen], tolerance[seen], generator)
        if plane is None:
            break
        on = valid & (plane.height(points).abs() < tolerance).numpy()
        if (on & left).sum() < least * count:
            break
        planes.append(plane)
        left &= ~on
        rest &= ~_reaching(on, ring)
    return _Surface(points, rest, planes)


def _reaching(on: Bool[np.ndarray, "h w"], ring: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Keep the pieces of a plane that are seen in the ring: others may be faces of the object."""
    labels, _ = label(on)
    return np.isin(labels, np.unique(labels[on & ring]))


def _central(
    pieces: Int[np.ndarray, "h w"], center: tuple[float, float], size: tuple[int, int]
) -> Bool[np.ndarray, "h w"]:
    """Choose the piece that fills the middle of a box most."""
    rows, columns = np.nonzero(pieces)
    off = ((columns - center[0]) / (size[0] / 3)) ** 2 + ((rows - center[1]) / (size[1] / 3)) ** 2
    weight = np.bincount(pieces[rows, columns], np.exp(-0.5 * off), minlength=2)
    return (pieces == weight.argmax()) & (pieces > 0)


def _closed(mask: Bool[np.ndarray, "h w"], pixels: int) -> Bool[np.ndarray, "h w"]:
    """Close holes and gaps up to twice that many pixels."""
    padded = np.pad(mask.astype(np.uint8), pixels + 1)
    kernel = np.ones((2 * pixels + 1, 2 * pixels + 1), np.uint8)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, kernel)
    return closed[pixels + 1 : -pixels - 1, pixels + 1 : -pixels - 1] > 0


def _plausible(piece: tuple[int, Box], size: tuple[int, int], config: StandingConfig) -> bool:
    """Tell a proposal from noise, and from the scene itself."""
    area, (_, _, w, h) = piece
    large = area >= config.least_area and max(w, h) >= config.least_side
    large = large and min(w, h) >= config.thinnest * max(w, h)
    return large and max(w / size[1], h / size[0]) <= config.largest
