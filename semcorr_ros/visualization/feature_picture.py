"""Images beside their features: one color space for all, so that equal colors mean equal features."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import UInt8
from torch import Tensor

from semcorr_ros.artifacts import FeatureMap
from semcorr_ros.visualization.canvas import resized
from semcorr_ros.visualization.class_picture import feature_colors

_TILE = 180  # pixels
_PAIRS_PER_ROW = 4


def feature_picture(
    images: Sequence[UInt8[Tensor, "height width 3"]], maps: Sequence[FeatureMap]
) -> UInt8[Tensor, "height width 3"]:
    """Draw square tiles in rows of four pairs: an image, then the three main directions of its features.

    Raises ValueError when there is nothing to draw or a map is missing.
    """
    if not images or len(images) != len(maps):
        raise ValueError(f"need as many feature maps as images, at least one; got {len(maps)}, {len(images)}")
    colors = feature_colors(torch.cat([features.values.flatten(0, 1) for features in maps]))
    tiles, start = [], 0
    for image, features in zip(images, maps, strict=True):
        h, w, _ = features.values.shape
        painted = colors[start : start + h * w].reshape(h, w, 3)
        start += h * w
        pair = resized(image, (_TILE, _TILE), "bilinear"), resized(painted, (_TILE, _TILE), "nearest")
        tiles.append(torch.cat(pair, 1))
    while len(tiles) % _PAIRS_PER_ROW:
        tiles.append(torch.zeros_like(tiles[0]))
    rows = [torch.cat(tiles[i : i + _PAIRS_PER_ROW], 1) for i in range(0, len(tiles), _PAIRS_PER_ROW)]
    return torch.cat(rows)
