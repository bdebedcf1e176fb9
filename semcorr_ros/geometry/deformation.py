"""Local frames that go with a deforming body: position, direction and stretch around a place of it.

Moving least squares (Schaefer, McPhail and Warren, Image Deformation Using Moving Least Squares, SIGGRAPH
2006) of a surface that is known as the same points before and after.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.geometry.similarity import fit_similarity

NEAR = 0.45  # radii of the body: how far around a place the surface decides what happens to it
STIFF = 0.3  # weight of the body's own similarity: the surface nearby is flat and says nothing across it
REACH = 0.7  # radii of the body to which a place is stretched with it; a step beyond keeps its length


@dataclass(frozen=True)
class LocalFrames:
    """Where places of one body are on another, and what became of directions and lengths there."""

    translation: Float[Tensor, "place 3"]
    rotation: Float[Tensor, "place 3 3"]  # of directions, from the first body to the second
    stretch: Float[Tensor, "place"]  # of lengths, the mean of the three axes


def follow(
    places: Float[Tensor, "place 3"], before: Float[Tensor, "point 3"], after: Float[Tensor, "point 3"]
) -> LocalFrames:
    """Carry places over with the points of a body around them; rows of `before` and `after` correspond.

    The nearer a point, the more it counts: within NEAR radii of the body, or as far as the nearest one is.
    """
    scale, rotation, _ = fit_similarity(before, after)
    radius = (before - before.mean(0)).square().sum(-1).mean().sqrt()
    distance = torch.cdist(places, before)
    width = torch.maximum(NEAR * radius, distance.amin(-1, keepdim=True))
    weight = torch.softmax(-0.5 * (distance / width) ** 2, dim=-1)
    mean, goal = weight @ before, weight @ after
    a, b = before[None] - mean[:, None], after[None] - goal[:, None]
    spread = torch.einsum("pn,pni,pnj->pij", weight, a, a)
    moved = torch.einsum("pn,pni,pnj->pij", weight, b, a)
    stiff = STIFF * spread.diagonal(dim1=-2, dim2=-1).mean(-1)[:, None, None]
    eye = torch.eye(3, dtype=before.dtype, device=before.device)
    linear = (moved + stiff * scale * rotation) @ torch.linalg.inv(spread + stiff * eye)
    turn, singular = _polar(linear)
    step = places - mean
    within = step * (REACH * radius / step.norm(dim=-1, keepdim=True).clamp_min(1e-9)).clamp_max(1.0)
    there = goal + _apply(linear, within) + _apply(turn, step - within)
    return LocalFrames(there, turn, singular.mean(-1))


def _polar(linear: Float[Tensor, "place 3 3"]) -> tuple[Float[Tensor, "place 3 3"], Float[Tensor, "place 3"]]:
    """Find the nearest proper rotations, and the stretches that are left."""
    u, singular, vt = torch.linalg.svd(linear)
    sign = torch.ones_like(singular)
    sign[:, 2] = torch.sign(torch.linalg.det(u) * torch.linalg.det(vt))
    return u @ (sign[..., None] * vt), singular


def _apply(
    matrices: Float[Tensor, "place 3 3"], vectors: Float[Tensor, "place 3"]
) -> Float[Tensor, "place 3"]:
    return torch.einsum("pij,pj->pi", matrices, vectors)
