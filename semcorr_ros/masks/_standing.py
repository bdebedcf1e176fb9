"""Objects that stand on planes, from measured depth alone: whatever the class, however small."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from semcorr_ros.artifacts import Camera, DepthMap
from semcorr_ros.masks._pieces import label
from semcorr_ros.masks._planes import NOISE, Plane, largest_plane, points_of

Box = tuple[int, int, int, int]  # x, y, width, height in pixels


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
    thinnest: float = (
        0.2  # shorter side of a proposal, in longer ones; what is thinner is the rest of a plane
    )
    least_area: int = 200  # pixels, of a proposal
    largest: float = 0.7  # of the image's side, of a proposal
    overlap: float = 0.7  # intersection over union from which two proposals are one


@dataclass(frozen=True)
class _Surface:
    """Measured points of a part of an image, and what of it is no plane."""

    points: Tensor  # (h, w, 3) metres
    valid: np.ndarray  # (h, w)
    rest: np.ndarray  # (h, w): valid, and on no plane
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
    margin = round(config.ring * max(w, h))
    left, top = max(0, x - margin), max(0, y - margin)
    part = (slice(top, min(height, y + h + margin)), slice(left, min(width, x + w + margin)))
    inside = np.zeros((height, width), bool)
    inside[y : y + h, x : x + w] = True
    surface = _surface(depth, camera, part, ~inside[part], 2 * config.least_plane, config)
    if not surface.planes:
        return None
    above = surface.planes[0].height(surface.points).numpy() > 0
    standing = surface.rest & above & inside[part]
    pieces = _footprints(surface, standing, config)
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
    for pieces in (_footprints(surface, rest, config), _surfaces(surface, rest, config)):
        found += [one for one in _boxes(pieces) if _plausible(one, (height, width), config)]
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
    return _Surface(points, valid, rest, planes)


def _reaching(on: Bool[np.ndarray, "h w"], ring: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Keep the pieces of a plane that are seen in the ring: others may be faces of the object."""
    labels, _ = label(on)
    return np.isin(labels, np.unique(labels[on & ring]))


def _footprints(
    surface: _Surface, standing: Bool[np.ndarray, "h w"], config: StandingConfig
) -> Int[np.ndarray, "h w"]:
    """Number what stands apart on the support plane, seen along its normal; 0 = nothing.

    A cup's inside is far behind its rim, but stands where the cup stands.
    """
    numbers = np.zeros(standing.shape, np.int32)
    points = surface.points[torch.from_numpy(standing)]
    if len(points) < config.fewest:
        return numbers
    normal = surface.planes[0].normal
    across = torch.linalg.svd(normal[None]).Vh[1:]
    cell = max(config.least_tolerance, NOISE * float(points[:, 2].median()))
    at = ((points @ across.T) / cell).floor().int()
    at = (at - at.amin(0) + 1).numpy()
    extent = at.max(0) + 2
    if extent.prod() > 4_000_000:  # of a hall: nothing that stands in it has this few cells
        return numbers
    grid = np.zeros(extent, np.uint8)
    grid[at[:, 0], at[:, 1]] = 1
    _, labels = cv2.connectedComponents(cv2.dilate(grid, np.ones((3, 3), np.uint8)), connectivity=8)
    numbers[standing] = labels[at[:, 0], at[:, 1]]
    return numbers


def _surfaces(
    surface: _Surface, rest: Bool[np.ndarray, "h w"], config: StandingConfig
) -> Int[np.ndarray, "h w"]:
    """Number surfaces without a step in depth: things that touch on the table are told apart."""
    z = surface.points[..., 2].numpy()
    limit = np.maximum(config.jump, 2 * NOISE * z)
    cut = np.zeros_like(rest)
    cut[:, :-1] |= np.abs(np.diff(z, axis=1)) > limit[:, :-1]
    cut[:-1] |= np.abs(np.diff(z, axis=0)) > limit[:-1]
    return label(rest & ~cut)[0]


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


def _boxes(pieces: Int[np.ndarray, "h w"]) -> list[tuple[int, Box]]:
    """Measure area and box of every piece."""
    rows, columns = np.nonzero(pieces)
    if len(rows) == 0:
        return []
    numbers = pieces[rows, columns]
    count = int(numbers.max()) + 1
    low, high = np.full((count, 2), 2**30), np.full((count, 2), -1)
    at = np.stack([columns, rows], -1)
    np.minimum.at(low, numbers, at)
    np.maximum.at(high, numbers, at)
    areas = np.bincount(numbers, minlength=count)
    size = high - low + 1
    return [
        (int(areas[i]), (int(low[i, 0]), int(low[i, 1]), int(size[i, 0]), int(size[i, 1])))
        for i in np.flatnonzero(areas)
    ]


def _plausible(piece: tuple[int, Box], size: tuple[int, int], config: StandingConfig) -> bool:
    """Tell a proposal from noise, and from the scene itself."""
    area, (_, _, w, h) = piece
    large = area >= config.least_area and max(w, h) >= config.least_side
    large = large and min(w, h) >= config.thinnest * max(w, h)
    return large and max(w / size[1], h / size[0]) <= config.largest


def intersection_over_union(a: Box, b: Box) -> float:
    """Compute the overlap of two boxes, in [0, 1]."""
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    both = max(0, w) * max(0, h)
    return both / (a[2] * a[3] + b[2] * b[3] - both)
