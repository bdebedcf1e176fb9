"""Find the mean shape that all views agree on: generalized Procrustes analysis with missing keypoints.

It starts from all pairwise distances at once, and view by view. The first (shortest paths, then classical
scaling) weighs all views equally but bends where views overlap little; the second grows from one view and
needs only three common keypoints at each step. Whichever ends in the smaller residual wins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.sparse.csgraph import shortest_path
from torch import Tensor

from semcorr_ros.geometry.similarity import apply_similarity, fit_similarity
from semcorr_ros.methods.semalign3d.artifacts import Views
from semcorr_ros.methods.semalign3d.building.pairwise import LogDistances

MIN_COMMON = 3
MIN_WIDTH = 0.15  # second over first extent of common points; thinner sets leave a rotation open
ROBUST = 0.25  # residuals above a quarter of the RMS radius count less
ITERATIONS = 40
SEED_VIEWS = 3


@dataclass(frozen=True)
class Aligned:
    """Views in the canonical frame: canonical = scale * rotation @ camera + translation."""

    points: Float[Tensor, "view keypoint 3"]
    scale: Float[Tensor, "view"]
    rotation: Float[Tensor, "view 3 3"]
    translation: Float[Tensor, "view 3"]
    usable: Bool[Tensor, "view"]  # enough keypoints in common with the target


def align_views(
    points: Float[Tensor, "view keypoint 3"],
    weight: Float[Tensor, "view keypoint"],
    target: Float[Tensor, "*view keypoint 3"],
) -> Aligned:
    """Move every view onto the target by its best similarity.

    The scale is the ratio of the extents, not the least-squares scale: that one shrinks with noise,
    and the mean shape would shrink with it.
    """
    target = target.expand(points.shape)
    usable = fixes_similarity(weight, target)
    _, rotation, _ = fit_similarity(points, target, weight)
    share = (weight / weight.sum(-1, keepdim=True).clamp_min(1e-12))[..., None]
    source_mean, target_mean = (share * points).sum(1), (share * target).sum(1)
    source_size = (share * (points - source_mean[:, None]) ** 2).sum((1, 2))
    target_size = (share * (target - target_mean[:, None]) ** 2).sum((1, 2))
    scale = (target_size / source_size.clamp_min(1e-12)).sqrt()
    translation = target_mean - scale[:, None] * (rotation @ source_mean[..., None])[..., 0]
    moved = apply_similarity(points, scale, rotation, translation)
    return Aligned(moved, scale, rotation, translation, usable)


def generalized_procrustes(
    views: Views, start: Float[Tensor, "keypoint 3"], placed: Bool[Tensor, "keypoint"]
) -> tuple[Float[Tensor, "keypoint 3"], Bool[Tensor, "keypoint"], float]:
    """Refine a start shape; keypoints not placed yet are placed by the first views that align.

    Returns the shape (centered, RMS radius 1, zero rows where unplaced), which keypoints are placed,
    and the robust RMS residual.
    """
    shape = normalize_shape(start, placed)
    weight = views.visible.float()
    cost = torch.tensor(0.0)
    for _ in range(ITERATIONS):
        aligned = align_views(views.points, weight * placed, shape)
        visible = weight * aligned.usable[:, None]
        total = visible.sum(0)
        mean = (visible[..., None] * aligned.points).sum(0) / total.clamp_min(1e-9)[:, None]
        placed = placed | (total > 0)
        shape = normalize_shape(torch.where((total > 0)[:, None], mean, shape), placed)
        residual = (aligned.points - shape).norm(dim=-1)
        weight = views.visible / (1 + (residual / ROBUST) ** 2)
        # A view that cannot be aligned is off by a whole radius: else a shape that collapsed to
        # a line, which no view aligns to, would cost nothing.
        error = torch.where(aligned.usable[:, None], residual, 1.0)
        shown = views.visible & placed
        cost = (torch.log1p((error / ROBUST) ** 2) * shown).sum() / shown.sum().clamp_min(1)
    return shape, placed, float(ROBUST * cost.expm1().clamp_min(0).sqrt())


def normalize_shape(
    shape: Float[Tensor, "keypoint 3"], placed: Bool[Tensor, "keypoint"]
) -> Float[Tensor, "keypoint 3"]:
    """Center the placed keypoints and scale their RMS radius to 1; zero rows elsewhere."""
    centered = shape - shape[placed].mean(0)
    radius = centered[placed].square().sum(-1).mean().sqrt().clamp_min(1e-12)
    return torch.where(placed[:, None], centered / radius, 0.0)


def fixes_similarity(
    weight: Float[Tensor, "view keypoint"], target: Float[Tensor, "view keypoint 3"]
) -> Bool[Tensor, "view"]:
    """Find views with at least three weighted target points that do not lie on a line."""
    share = weight / weight.sum(-1, keepdim=True).clamp_min(1e-12)
    centered = target - (share[..., None] * target).sum(1, keepdim=True)
    extents = torch.linalg.eigvalsh((share[..., None] * centered).mT @ centered).clamp_min(0).sqrt()
    wide = extents[:, 1] > MIN_WIDTH * extents[:, 2].clamp_min(1e-9)
    return wide & ((weight > 0).sum(-1) >= MIN_COMMON)


def mean_shape(
    views: Views, distances: LogDistances
) -> tuple[Float[Tensor, "keypoint 3"], Bool[Tensor, "keypoint"], float]:
    """Find the Procrustes mean shape, which keypoints are placed, and its RMS residual."""
    starts = _scaling_starts(distances, views)
    order = views.visible.sum(1).argsort(descending=True, stable=True)
    starts += [_grow(views, int(seed)) for seed in order[:SEED_VIEWS]]
    results = [generalized_procrustes(views, shape, placed) for shape, placed in starts]
    return min(results, key=lambda result: (-int(result[1].sum()), result[2]))


def _scaling_starts(distances: LogDistances, views: Views) -> list[tuple[Tensor, Tensor]]:
    """Apply classical scaling to the shortest-path distances, in both handednesses."""
    lengths = torch.where(distances.count > 0, distances.mean.exp(), torch.inf)
    paths = torch.from_numpy(shortest_path(np.asarray(lengths.double()), directed=False)).float()
    placed = torch.isfinite(paths[views.visible.sum(0).argmax()])
    if placed.sum() < 4:
        return []
    squared = paths[placed][:, placed] ** 2
    centered = squared - squared.mean(0) - squared.mean(1, keepdim=True) + squared.mean()
    values, vectors = torch.linalg.eigh(-0.5 * centered.double())
    shape = torch.zeros(len(placed), 3)
    shape[placed] = (vectors[:, -3:] * values[-3:].clamp_min(0).sqrt()).float()
    return [(shape, placed), (shape * torch.tensor([-1.0, 1, 1]), placed)]


def _grow(views: Views, seed: int) -> tuple[Tensor, Tensor]:
    """Grow a shape from one view, always adding the view that shares most placed keypoints."""
    shape, placed = views.points[seed].clone(), views.visible[seed].clone()
    while True:
        new = views.visible & ~placed
        common = views.visible & placed
        aligned = align_views(views.points, common.float(), shape)
        overlap = torch.where(aligned.usable & new.any(1), common.sum(1), 0)
        view = int(overlap.argmax())
        if overlap[view] == 0:
            return shape, placed
        shape = torch.where(new[view][:, None], aligned.points[view], shape)
        placed = placed | new[view]
