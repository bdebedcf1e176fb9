"""Start shapes for the mean shape: from all pairwise distances at once, and view by view.

The first (shortest paths, then classical scaling) weighs all views equally but bends where views
overlap little; the second grows from one view and needs only three common keypoints at each step.
Whichever ends in the smaller residual after Procrustes analysis wins.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.sparse.csgraph import shortest_path
from torch import Tensor

from semcorr_ros.methods.semalign3d.artifacts import Views
from semcorr_ros.methods.semalign3d.building.pairwise import LogDistances
from semcorr_ros.methods.semalign3d.building.procrustes import align_views, generalized_procrustes

SEED_VIEWS = 3


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
    """Scale classically by the shortest-path distances, in both handednesses."""
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
    """Start from one view and add, again and again, the view that shares most placed keypoints."""
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
