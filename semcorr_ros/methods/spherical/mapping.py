"""A feature map to a map of the sphere."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from semcorr_ros.artifacts import FeatureMap
from semcorr_ros.errors import BackboneMismatchError
from semcorr_ros.methods.spherical.config import HeadConfig
from semcorr_ros.methods.spherical.networks import SphereMapper

RAW = (
    "the published mapper needs tokens of the length that the backbone gives them, and {} tells none: "
    "use --backbone dinov2"
)


def to_tokens(
    values: Float[Tensor, "batch h w channel"], side: int
) -> Float[Tensor, "batch side side channel"]:
    """Average unit-norm features over a square grid of tokens, unit norm again."""
    pooled = functional.adaptive_avg_pool2d(values.permute(0, 3, 1, 2), side).permute(0, 2, 3, 1)
    return functional.normalize(pooled, dim=-1)


def as_input(unit: Float[Tensor, "*batch channel"]) -> Float[Tensor, "*batch channel"]:
    """Scale unit vectors so that their numbers are about 1, as a linear layer wants its input."""
    return unit * math.sqrt(unit.shape[-1])


@torch.inference_mode()
def map_sphere(mapper: SphereMapper, features: FeatureMap) -> Float[Tensor, "h w 3"]:
    """Map every cell of a feature map to the unit sphere (f_S).

    Raises BackboneMismatchError for features without lengths, where the mapper was trained on such.
    """
    h, w, _ = features.values.shape
    head = mapper.config
    tokens = _tokens(head, features)
    spheres = mapper(tokens[None])
    if spheres.shape[1:3] == (h, w):
        return spheres[0]
    spread = functional.interpolate(spheres.permute(0, 3, 1, 2), (h, w), mode="bilinear", align_corners=False)
    return functional.normalize(spread[0].permute(1, 2, 0), dim=-1)


def _tokens(head: HeadConfig, features: FeatureMap) -> Float[Tensor, "h w channel"]:
    if head.inputs == "raw":
        if features.lengths is None:
            raise BackboneMismatchError(RAW.format(features.backbone))
        return features.values * features.lengths[..., None]
    if head.everywhere:
        return as_input(features.values)
    return as_input(to_tokens(features.values[None], head.grid)[0])
