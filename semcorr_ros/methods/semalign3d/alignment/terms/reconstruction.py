"""Every image point should be explained by some point of the dense cloud (Eq. 4-8 of SemAlign3D)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.methods.semalign3d.alignment.state import Evidence, ImageSamples, State, project_with_relief
from semcorr_ros.methods.semalign3d.alignment.terms import Term
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation


def energy(state: State, evidence: Evidence, model: ClassRepresentation) -> Float[Tensor, "hypothesis"]:
    """Compute -E_xy[max_i p_spatial(xy, i) p_sem(xy, i)] over the dense cloud (Eq. 7, 8)."""
    placed = project_with_relief(state.dense, state)
    return -likelihood(placed, state.log_visible, state.dense_samples, state.focal, state.sigma_dense).mean(
        -1
    )


PLUGIN = Term(energy)


def likelihood(
    placed: Float[Tensor, "hypothesis point 3"],
    log_visible: Float[Tensor, "hypothesis point"],
    samples: ImageSamples,
    focal: Float[Tensor, "hypothesis"],
    sigma: float,
) -> Float[Tensor, "hypothesis sample"]:
    """Compute max_i p_rec(xy, i) of every image sample, for points in coordinates of `project_with_relief`.

    Only the winning point of an image point carries a gradient, so the search runs without one and
    in log space, where it is one matrix product.
    """
    observed = torch.cat(
        [samples.points.expand(len(focal), -1, -1), (focal[:, None] * samples.relief)[..., None]], dim=-1
    )
    with torch.no_grad():
        winner = _winners(observed, placed, log_visible, samples, sigma)
    nearest = placed.gather(1, winner[..., None].expand(-1, -1, 3))
    error = (observed - nearest) ** 2
    squared = error[..., 0] + error[..., 1] + samples.relief_weight * error[..., 2]
    semantic = samples.log_semantic.gather(1, winner.T).T
    visible = log_visible.gather(1, winner)
    return torch.exp(semantic + visible - squared / (2 * sigma**2))


def _winners(
    observed: Float[Tensor, "hypothesis sample 3"],
    placed: Float[Tensor, "hypothesis point 3"],
    log_visible: Float[Tensor, "hypothesis point"],
    samples: ImageSamples,
    sigma: float,
) -> Tensor:
    """Find the class point that explains each sample best: argmax of log p_rec.

    -|o - p|^2 / 2 without the part that is equal for all points, as a product of 5-vectors.
    """
    weight = samples.relief_weight.expand(observed.shape[:2])
    left = torch.stack(
        [observed[..., 0], observed[..., 1], weight * observed[..., 2], weight, torch.ones_like(weight)], -1
    )
    relief = placed[..., 2]
    rest = sigma**2 * log_visible - 0.5 * (placed[..., :2] ** 2).sum(-1)
    right = torch.stack([placed[..., 0], placed[..., 1], relief, -0.5 * relief**2, rest], -2)
    scores = torch.baddbmm(samples.log_semantic.expand(len(placed), -1, -1), left / sigma**2, right)
    return scores.argmax(-1)
