"""Losses of GeoAware-SC (Zhang et al., CVPR 2024, Eq. 3 and 4), which DIY-SC and 3D-SC keep."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cross_entropy


def sparse_contrastive(
    source: Float[Tensor, "match channel"],
    target: Float[Tensor, "match channel"],
    log_scale: Float[Tensor, ""],
) -> Float[Tensor, ""]:
    """Compute the symmetric cross-entropy of telling each match from the others (as CLIP).

    Features have unit length; exp(log_scale) is the learned inverse temperature.
    """
    logits = log_scale.exp() * source @ target.T
    right = torch.arange(len(logits), device=logits.device)
    return (cross_entropy(logits, right) + cross_entropy(logits.T, right)) / 2


def end_point_error(
    source: Float[Tensor, "match channel"],
    target: Float[Tensor, "h w channel"],
    wanted: Float[Tensor, "match 2"],
    temperature: float,
) -> Float[Tensor, ""]:
    """Compute the mean distance, in cells, of soft-argmax positions from the wanted (column, row)."""
    similarity = torch.einsum("mc,hwc->mhw", source, target)
    return (soft_argmax(similarity, temperature) - wanted).norm(dim=-1).mean()


def soft_argmax(similarity: Float[Tensor, "match h w"], temperature: float) -> Float[Tensor, "match 2"]:
    """Compute the mean (column, row) of all cells, weighted by exp(similarity / temperature)."""
    weight = torch.softmax(similarity.flatten(1) / temperature, dim=-1).view_as(similarity)
    _, h, w = similarity.shape
    rows, columns = (torch.arange(n, device=weight.device, dtype=weight.dtype) for n in (h, w))
    return torch.stack([weight.sum(1) @ columns, weight.sum(2) @ rows], -1)
