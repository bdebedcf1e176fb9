"""Least-squares similarity between point sets (Umeyama 1991)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def fit_similarity(
    source: Float[Tensor, "*batch point 3"],
    target: Float[Tensor, "*batch point 3"],
    weights: Float[Tensor, "*#batch point"] | None = None,
) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch 3 3"], Float[Tensor, "*batch 3"]]:
    """Fit scale, proper rotation and translation with target ~ scale * rotation @ source + translation."""
    w = torch.ones_like(source[..., 0]) if weights is None else weights.expand(source.shape[:-1])
    w = (w / w.sum(-1, keepdim=True).clamp_min(1e-12))[..., None]
    source_mean, target_mean = (w * source).sum(-2), (w * target).sum(-2)
    a, b = source - source_mean[..., None, :], target - target_mean[..., None, :]
    u, singular, vt = torch.linalg.svd((w * b).mT @ a)
    sign = torch.ones_like(singular)
    sign[..., 2] = torch.sign(torch.linalg.det(u) * torch.linalg.det(vt))
    rotation = u @ (sign[..., None] * vt)
    scale = (sign * singular).sum(-1) / (w * a**2).sum((-1, -2)).clamp_min(1e-12)
    translation = target_mean - scale[..., None] * (rotation @ source_mean[..., None])[..., 0]
    return scale, rotation, translation


def apply_similarity(
    points: Float[Tensor, "*batch point 3"],
    scale: Float[Tensor, "*batch"],
    rotation: Float[Tensor, "*batch 3 3"],
    translation: Float[Tensor, "*batch 3"],
) -> Float[Tensor, "*batch point 3"]:
    """Compute scale * rotation @ points + translation, row by row."""
    return scale[..., None, None] * points @ rotation.mT + translation[..., None, :]
