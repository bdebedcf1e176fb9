"""Maximum likelihood of many Beta distributions at once."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

NEWTON_STEPS = 12


def fit_beta(
    samples: Float[Tensor, "sample combination measure"], weight: Float[Tensor, "sample combination #measure"]
) -> tuple[Float[Tensor, "combination measure"], Float[Tensor, "combination measure"]]:
    """Fit alpha and beta to samples inside (0, 1); NaN where all samples coincide or there are none.

    The likelihood depends on the samples by E[log x] and E[log(1 - x)] alone, and is concave.
    """
    x, w = samples.double(), weight.double()
    total = w.sum(0).clamp_min(1e-12)
    mean = (w * x).sum(0) / total
    variance = (w * (x - mean) ** 2).sum(0) / total
    log_x, log_rest = (w * x.log()).sum(0) / total, (w * (1 - x).log()).sum(0) / total
    concentration = mean * (1 - mean) / variance - 1
    good = (variance > 1e-12) & (concentration > 0)
    concentration = torch.where(good, concentration, 1.0)
    start = torch.where(good, mean, 0.5)
    log_alpha, log_beta = (start * concentration).log(), ((1 - start) * concentration).log()
    for _ in range(NEWTON_STEPS):
        log_alpha, log_beta = _newton(log_alpha, log_beta, log_x, log_rest)
    bad = ~good | ~torch.isfinite(log_alpha + log_beta)
    return tuple(torch.where(bad, torch.nan, value.exp()) for value in (log_alpha, log_beta))  # type: ignore[return-value]


def widen(alpha: Tensor, beta: Tensor, factor: Tensor) -> tuple[Tensor, Tensor]:
    """Multiply the variance by `factor`, keeping the mean."""
    concentration = alpha + beta
    scale = ((concentration + 1) / factor - 1).clamp_min(1e-3) / concentration
    return alpha * scale, beta * scale


def cap_concentration(alpha: Tensor, beta: Tensor, cap: float) -> tuple[Tensor, Tensor]:
    """Scale both down so that the larger is at most `cap`; the mean stays."""
    scale = (cap / torch.maximum(alpha, beta)).clamp_max(1.0)
    return alpha * scale, beta * scale


def _newton(log_alpha: Tensor, log_beta: Tensor, log_x: Tensor, log_rest: Tensor) -> tuple[Tensor, Tensor]:
    """Take one step on (log alpha, log beta); steps are limited, so a poor start cannot overshoot."""
    alpha, beta = log_alpha.exp(), log_beta.exp()
    total = torch.digamma(alpha + beta)
    gradient_a = alpha * (log_x - torch.digamma(alpha) + total)
    gradient_b = beta * (log_rest - torch.digamma(beta) + total)
    curve = torch.polygamma(1, alpha + beta)
    # Fisher information in the logarithms: positive definite, unlike the Hessian far from the optimum.
    aa = alpha**2 * (torch.polygamma(1, alpha) - curve)
    bb = beta**2 * (torch.polygamma(1, beta) - curve)
    ab = -alpha * beta * curve
    determinant = (aa * bb - ab**2).clamp_min(1e-300)
    step_a = (bb * gradient_a - ab * gradient_b) / determinant
    step_b = (aa * gradient_b - ab * gradient_a) / determinant
    return log_alpha + step_a.clamp(-1, 1), log_beta + step_b.clamp(-1, 1)
