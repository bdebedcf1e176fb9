"""Statistics of pairs and quadruples of keypoints over views that share no frame yet."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semcorr_ros.methods.semalign3d.artifacts import Views
from semcorr_ros.methods.semalign3d.building.combinations import shown_by

ROBUST_LOG = 0.3  # log distances that deviate by more than 35 % count less
SWEEPS = 30


@dataclass(frozen=True)
class LogDistances:
    """Mean log distance of keypoint pairs, up to one common constant; 0 where never annotated together."""

    mean: Float[Tensor, "keypoint keypoint"]
    spread: Float[Tensor, "keypoint keypoint"]
    count: Float[Tensor, "keypoint keypoint"]


def log_distances(views: Views) -> LogDistances:
    """Fit log |p_i - p_j| of view v as s_v + mean_ij: every view has its own unknown scale.

    Robust backfitting: alternately the scales and the means, with weights 1 / (1 + (r / .3)^2).
    """
    distance = torch.cdist(views.points, views.points).clamp_min(1e-9)
    both = views.visible[:, :, None] & views.visible[:, None, :] & ~torch.eye(distance.shape[1]).bool()
    logs = torch.where(both, distance.log(), 0.0)
    weight = both.float()
    mean = torch.zeros_like(logs[0])
    for _ in range(SWEEPS):
        scale = _average(logs - mean, weight, (1, 2))[:, None, None]
        mean = _average(logs - scale, weight, 0)
        residual = logs - scale - mean
        weight = both / (1 + (residual / ROBUST_LOG) ** 2)
    spread = _average(residual**2, both.float(), 0).sqrt()
    return LogDistances(mean, spread, both.float().sum(0))


def signed_volumes(
    views: Views, subsets: Int[Tensor, "subset 4"]
) -> tuple[Float[Tensor, "subset"], Float[Tensor, "subset"], Float[Tensor, "subset"]]:
    """Compute mean, spread and view count of the triple product of the unit edges a->b, a->c, a->d."""
    shown = shown_by(views.visible, subsets).float()
    a, b, c, d = (views.points[:, subsets[:, column]] for column in range(4))
    u, v, w = (torch.nn.functional.normalize(end - a, dim=-1) for end in (b, c, d))
    volume = (torch.linalg.cross(u, v, dim=-1) * w).sum(-1)
    mean = _average(volume, shown, 0)
    return mean, _average((volume - mean) ** 2, shown, 0).sqrt(), shown.sum(0)


def _average(values: Tensor, weight: Tensor, dims: int | tuple[int, ...]) -> Tensor:
    return (values * weight).sum(dims) / weight.sum(dims).clamp_min(1e-9)
