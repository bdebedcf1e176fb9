"""Beta distributions of angles, length ratios and direction cosines over the views (Eq. 1-2).

All combinations are fitted at once: moments, then Newton on the likelihood. Three things keep the
distributions peaked but not overconfident. Every view counts as several copies with noisy keypoints
(one noise level for the whole class, in canonical units; noise relative to a view's shortest edge, as
in the authors' release, differs tenfold between views). The variance is widened by (n + 1) / (n - 1)
for n images, as a prediction from n samples demands. And alpha and beta are capped.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semcorr_ros.methods.semalign3d.artifacts import BetaFamily, BetaStatistics
from semcorr_ros.methods.semalign3d.building.combinations import (
    all_edge_pairs,
    all_frames,
    select_informative,
)
from semcorr_ros.methods.semalign3d.building.config import BuildConfig
from semcorr_ros.methods.semalign3d.building.geometry_measures import edge_pair_measures, frame_measures

COPIES = 4  # noisy copies per view, in antithetic pairs
CHUNK = 8192
CANDIDATES = 8  # combinations looked at, relative to those kept
MARGIN = 1e-4  # measures are kept this far from 0 and 1, where a Beta density ends

Measures = Callable[[Tensor, Tensor], Tensor]
NEWTON_STEPS = 12


def beta_statistics(
    points: Float[Tensor, "view keypoint 3"],
    weight: Float[Tensor, "view keypoint"],
    copies: int,
    config: BuildConfig,
    generator: torch.Generator,
) -> BetaStatistics:
    """Fit both families to views in canonical units.

    `weight` is 0 where a keypoint is not visible and less than 1 where its depth looks wrong; `copies`
    is 2 if the views hold mirrored ones. Combinations that few views show or that do not fit are left out.
    """
    keypoints = points.shape[1]
    filled = _fill(points, weight)
    noise = config.perturbation * torch.randn(COPIES // 2, *points.shape, generator=generator)
    noisy = torch.cat([filled + noise, filled - noise])
    families = [
        _family(
            all_edge_pairs(keypoints), edge_pair_measures, (filled, noisy, weight), copies, config, generator
        ),
        _family(all_frames(keypoints), frame_measures, (filled, noisy, weight), copies, config, generator),
    ]
    return BetaStatistics(*families)


def _fill(points: Tensor, weight: Tensor) -> Tensor:
    """Move invisible keypoints to the view's centroid: their combinations have no weight anyway."""
    visible = (weight > 0)[..., None]
    centroid = (points * visible).sum(1, keepdim=True) / visible.sum(1, keepdim=True).clamp_min(1)
    return torch.where(visible, points, centroid)


def _family(
    indices: Tensor,
    measures: Measures,
    data: tuple[Tensor, Tensor, Tensor],
    copies: int,
    config: BuildConfig,
    generator: torch.Generator,
) -> BetaFamily:
    points, noisy, weight = data
    keep = CANDIDATES * config.max_combinations
    if len(indices) > keep:
        indices = indices[torch.randperm(len(indices), generator=generator)[:keep].sort().values]
    count, spread = _moments(indices, measures, points, weight)
    images = count / copies
    shown = images >= config.min_views / copies
    indices, images, spread = indices[shown], images[shown], spread[shown]
    predicted = spread * ((images + 1) / (images - 1).clamp_min(0.5)).sqrt()
    chosen = select_informative(indices, predicted, config.max_combinations, points.shape[1])
    return _fit(indices[chosen], images[chosen], measures, (noisy, weight), config)


def _moments(
    indices: Int[Tensor, "combination 4"], measures: Measures, points: Tensor, weight: Tensor
) -> tuple[Tensor, Tensor]:
    """Count the views that show a combination, and compute the RMS spread of its measures."""
    counts, spreads = [], []
    for rows in indices.split(CHUNK):
        share = weight[:, rows].prod(-1)
        values = measures(points, rows)
        total = share.sum(0)
        mean = (share[..., None] * values).sum(0) / total.clamp_min(1e-9)[:, None]
        variance = (share[..., None] * (values - mean) ** 2).sum(0) / total.clamp_min(1e-9)[:, None]
        counts.append(total)
        spreads.append(variance.mean(-1).sqrt())
    if not counts:
        return torch.zeros(0), torch.zeros(0)
    return torch.cat(counts), torch.cat(spreads)


def _fit(
    indices: Tensor, images: Tensor, measures: Measures, data: tuple[Tensor, Tensor], config: BuildConfig
) -> BetaFamily:
    noisy, weight = data
    kept = []
    for rows, count in zip(indices.split(CHUNK), images.split(CHUNK), strict=True):
        share = weight[:, rows].prod(-1).expand(len(noisy), -1, -1).flatten(0, 1)
        values = measures(noisy, rows).flatten(0, 1).clamp(MARGIN, 1 - MARGIN)
        alpha, beta = fit_beta(values, share[..., None])
        alpha, beta = widen(alpha, beta, ((count + 1) / (count - 1).clamp_min(0.5))[:, None])
        alpha, beta = cap_concentration(alpha, beta, config.max_concentration)
        # Without a mode inside (0, 1) the density rewards degenerate shapes.
        good = (torch.isfinite(alpha) & torch.isfinite(beta) & (alpha > 1) & (beta > 1)).all(-1)
        kept.append((rows[good], alpha[good].float(), beta[good].float()))
    if not kept:
        width = measures(noisy[0], indices[:0]).shape[-1]
        return BetaFamily(indices[:0], torch.zeros(0, width), torch.zeros(0, width))
    return BetaFamily(*(torch.cat(column) for column in zip(*kept, strict=True)))


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
