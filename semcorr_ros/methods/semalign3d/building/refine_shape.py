"""Joint refinement of the keypoints under the Beta statistics (Eq. 10), from the Procrustes mean shape."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.optimize import minimize
from torch import Tensor

from semcorr_ros.geometry.similarity import apply_similarity, fit_similarity
from semcorr_ros.methods.semalign3d.artifacts import BetaFamily, BetaStatistics
from semcorr_ros.methods.semalign3d.building.geometry_measures import edge_pair_measures, frame_measures
from semcorr_ros.methods.semalign3d.building.procrustes import normalize_shape

MARGIN = 1e-4
ANCHOR = 100.0  # weight of the squared distance to the start, in nats per squared canonical unit


def log_likelihood(family: BetaFamily, measures: Float[Tensor, "combination measure"]) -> Float[Tensor, ""]:
    """Average the log density of a family's measures, 0 for an empty family."""
    if len(measures) == 0:
        return measures.sum()
    x = measures.clamp(MARGIN, 1 - MARGIN)
    return torch.distributions.Beta(family.alpha, family.beta, validate_args=False).log_prob(x).mean()


def refine_shape(
    start: Float[Tensor, "keypoint 3"],
    placed: Bool[Tensor, "keypoint"],
    statistics: BetaStatistics,
    steps: int,
) -> Float[Tensor, "keypoint 3"]:
    """Find the most likely shape near `start`, in its frame, centered, RMS radius 1.

    Angles and ratios of independent Betas agree best in a slightly biased shape; the anchor holds it
    where the views put it unless the statistics are firm.
    """
    pairs, frames = statistics.edge_pairs, statistics.frames

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        shape = torch.from_numpy(flat).float().view_as(start).requires_grad_()
        likelihood = log_likelihood(pairs, edge_pair_measures(shape, pairs.indices))
        likelihood = likelihood + log_likelihood(frames, frame_measures(shape, frames.indices))
        value = ANCHOR * (shape - start).square().sum(-1).mean() - likelihood
        (gradient,) = torch.autograd.grad(value, shape)
        return float(value.detach()), gradient.double().flatten().numpy()

    flat = start.double().flatten().numpy()
    # SciPy's L-BFGS: the first use of torch.optim imports the compiler, a second for nothing.
    result = minimize(loss, flat, jac=True, method="L-BFGS-B", options={"maxiter": steps})
    refined = torch.from_numpy(result.x).to(start).view_as(start)
    if not torch.isfinite(refined).all():
        return start
    fit = fit_similarity(refined, start, placed.float())
    return normalize_shape(apply_similarity(refined, *fit), placed)
