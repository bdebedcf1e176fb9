"""The co-PCA of sd-dino: layers of two images reduced together, so that both share one basis.

The basis depends on the pair. Its features say nothing about a third image, which is why no class can be
built from them.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

from semcorr_ros.features._diffusion import NAMES, Layers

WIDTH = 256  # channels that are left of each layer


def reduce_together(layers: Layers, width: int = WIDTH) -> Float[Tensor, "2 channel h w"]:
    """Reduce s3, s4, s5 of two images by a joint PCA to at most 3 * width channels on the cells of s3."""
    s3, s4, s5 = (_reduced(layers[name], width) for name in NAMES)
    s45 = torch.cat([s4, _onto(s5, s4)], dim=1)
    return torch.cat([s3, _onto(s45, s3)], dim=1)


def principal_axes(tokens: Float[Tensor, "token channel"], width: int) -> Float[Tensor, "channel axis"]:
    """Find the directions of largest variance of centred tokens, largest first.

    Exact, where the authors draw an approximation at random: similarities are the same, and so is the
    result of the next run.
    """
    _, axes = torch.linalg.eigh(tokens.T @ tokens)
    return axes.flip(1)[:, :width]


def _reduced(layer: Float[Tensor, "2 channel h w"], width: int) -> Float[Tensor, "2 axis h w"]:
    tokens = layer.permute(0, 2, 3, 1)
    centred = tokens - tokens.mean((0, 1, 2))
    return (centred @ principal_axes(centred.flatten(0, 2), width)).permute(0, 3, 1, 2)


def _onto(layer: Float[Tensor, "2 channel rows columns"], finer: Tensor) -> Float[Tensor, "2 channel h w"]:
    return interpolate(layer, size=finer.shape[-2:], mode="bilinear", align_corners=False)
