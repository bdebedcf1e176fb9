"""Focal lengths of views with unknown cameras, from the agreement of their shapes (Eq. 3).

With the wrong focal length a view's relief is too deep or too shallow, and its angles and length
ratios disagree with those of the other views. Minimized is their variance over the views, made robust
against single bad depths, plus a wide prior that holds views which say nothing about their focal length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.optimize import minimize
from torch import Tensor

from semcorr_ros.methods.semalign3d.building.combinations import all_edge_pairs, shown_by
from semcorr_ros.methods.semalign3d.building.config import BuildConfig
from semcorr_ros.methods.semalign3d.building.evidence import Evidence
from semcorr_ros.methods.semalign3d.building.geometry_measures import edge_pair_measures
from semcorr_ros.methods.semalign3d.building.lift_views import lift_views, mirror_points

TYPICAL_FOCAL, TYPICAL_SPREAD = 1.3, 0.8  # prior on log focal: a 42 degree lens, a factor of 2.2 either way
MEASURE_SPREAD = 0.08  # what shapes of one class differ by; balances the data against the prior
GRID = 28
SWEEPS = 6


@dataclass(frozen=True)
class _Problem:
    points: Float[Tensor, "row keypoint 3"]  # lifted with focal length 1; mirrored rows follow
    shown: Float[Tensor, "row combination"]  # 1 where all four keypoints are visible
    indices: Int[Tensor, "combination 4"]
    known: Bool[Tensor, "view"]
    strength: Float[Tensor, "view"]  # number of independent measures a view contributes
    copies: int  # rows per view: 2 with mirrored ones

    def measures(self, log_focal: Float[Tensor, "view"]) -> Float[Tensor, "row combination 2"]:
        inverse = torch.where(self.known, 0.0, -log_focal).exp().repeat(self.copies)
        scale = torch.stack([inverse, inverse, torch.ones_like(inverse)], -1)
        return edge_pair_measures(self.points * scale[:, None], self.indices)

    def cost(self, measures: Tensor, mean: Tensor) -> Float[Tensor, "view"]:
        """Compute the negative log likelihood of every view given the mean measures (Cauchy tails)."""
        deviation = (measures - mean) / MEASURE_SPREAD
        robust = torch.log1p(0.5 * deviation**2).sum(-1)
        per_row = (robust * self.shown).sum(-1) / self.shown.sum(-1).clamp_min(1.0)
        return self.strength * per_row.view(self.copies, -1).mean(0)

    def mean(self, measures: Tensor) -> Float[Tensor, "combination 2"]:
        weight = self.shown[..., None]
        return (weight * measures).sum(0) / weight.sum(0).clamp_min(1.0)


def focal_lengths(
    evidence: Sequence[Evidence],
    flip: tuple[int, ...] | None,
    config: BuildConfig,
    generator: torch.Generator,
    start: Float[Tensor, "view"] | None = None,
) -> Float[Tensor, "view"]:
    """Estimate the focal length of every view in units of its longer image side; known cameras keep theirs.

    With a flip table every view also counts mirrored, sharing its focal length: left and right sides
    then inform each other.
    """
    known = torch.tensor([view.camera is not None for view in evidence])
    focals = torch.tensor([_known_focal(view) for view in evidence])
    if known.all():
        return focals
    problem = _problem(evidence, known, flip, config, generator)
    log_focal = _search(problem, config) if start is None else start.log()
    log_focal = _descend(problem, log_focal, config)
    return torch.where(known, focals, log_focal.exp())


def _known_focal(view: Evidence) -> float:
    return 1.0 if view.camera is None else float(view.camera.focal.mean()) / max(view.size)


def _problem(
    evidence: Sequence[Evidence],
    known: Tensor,
    flip: tuple[int, ...] | None,
    config: BuildConfig,
    generator: torch.Generator,
) -> _Problem:
    views = lift_views(evidence, torch.ones(len(evidence)))
    points, visible = views.points, views.visible
    if flip is not None:
        order = torch.tensor(flip)
        points = torch.cat([points, mirror_points(points)[:, order]])
        visible = torch.cat([visible, visible[:, order]])
    indices = all_edge_pairs(points.shape[1])
    often = shown_by(visible, indices).sum(0)
    # Random among those that several views share; a tie-break of less than one view.
    rank = often.clamp_max(8) + torch.rand(len(often), generator=generator)
    indices = indices[rank.topk(min(config.focal_combinations, len(rank))).indices.sort().values]
    indices = indices[shown_by(visible, indices).sum(0) >= 2]
    strength = (2.0 * views.visible.sum(-1) - 4).clamp_min(0.0)
    shown = shown_by(visible, indices).float()
    return _Problem(points, shown, indices, known, strength, len(points) // len(evidence))


def _prior(log_focal: Tensor) -> Tensor:
    return 0.5 * ((log_focal - torch.tensor(TYPICAL_FOCAL).log()) / TYPICAL_SPREAD) ** 2


def _search(problem: _Problem, config: BuildConfig) -> Float[Tensor, "view"]:
    """Find the best common focal length, then every view's best given the mean of all, on a grid."""
    low, high = (torch.tensor(f).log() for f in config.focal_range)
    grid = torch.linspace(float(low), float(high), GRID)
    views = len(problem.known)
    measures = torch.stack([problem.measures(value.expand(views)) for value in grid])  # (grid, row, P, 2)
    common = torch.stack([problem.cost(m, problem.mean(m)).sum() for m in measures]) / views + _prior(grid)
    best = common.argmin().expand(views)
    for _ in range(SWEEPS):
        row = torch.arange(views).repeat(problem.copies)
        mean = problem.mean(measures[best[row % views], torch.arange(len(row))])
        costs = torch.stack([problem.cost(m, mean) for m in measures]) + _prior(grid)[:, None]
        best = costs.argmin(0)
    return grid[best]


def _descend(problem: _Problem, start: Tensor, config: BuildConfig) -> Float[Tensor, "view"]:
    low, high = (float(torch.tensor(f).log()) for f in config.focal_range)

    def loss(values: np.ndarray) -> tuple[float, np.ndarray]:
        log_focal = torch.from_numpy(values).float().requires_grad_()
        measures = problem.measures(log_focal)
        total = (problem.cost(measures, problem.mean(measures)) + _prior(log_focal)).sum()
        (gradient,) = torch.autograd.grad(total, log_focal)
        return float(total.detach()), gradient.double().numpy()

    bounds = [(low, high)] * len(start)
    flat = start.double().clamp(low, high).numpy()
    options = {"maxiter": config.focal_steps}
    result = minimize(loss, flat, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return torch.from_numpy(result.x).float()
