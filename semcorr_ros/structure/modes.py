"""First modes of deformation: principal components of what a rigid shape leaves unexplained."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from semcorr_ros.structure.adjust import Terms, projected, rotated
from semcorr_ros.structure.state import Sightings, State


def with_modes(state: State, sights: Sightings, terms: Terms, count: int) -> State:
    """Give `state`, which has none, modes of one standard deviation each and their weights."""
    views, free = state.scale_log.shape[1], state.shape.shape[-1]
    count = min(count, views - 1, free)
    if count < 1:
        return state
    norms = terms.basis.square().sum((0, 1))
    deviation = _deviations(state, sights, terms) * norms.sqrt()
    deviation = deviation - deviation.mean(1, keepdim=True)
    left, size, right = torch.linalg.svd(deviation, full_matrices=False)
    modes = size[:, :count, None] * right[:, :count] / views**0.5 / norms.sqrt()
    return replace(state, weights=left[..., :count] * views**0.5, shape=torch.cat([state.shape, modes], 1))


def _deviations(state: State, sights: Sightings, terms: Terms) -> Tensor:
    """Find free coordinates (B, V, P) of the least that moves a picture's keypoints onto their places."""
    places, scale, _ = projected(rotated(state, terms.basis), state, sights, terms.perspective)
    error = sights.points - places
    trust = sights.visible / (1 + error.square().sum(-1) / terms.slip**2)
    across = error * trust[..., None] / scale[..., None]
    moved = torch.einsum("bvkr,bvra->bvka", across, state.rotation[..., :2, :])
    often = torch.einsum("kap,vk->vp", terms.basis.square(), sights.visible.double()).clamp_min(1)
    return torch.einsum("kap,bvka->bvp", terms.basis, moved) / often
