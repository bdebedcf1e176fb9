"""Which parts of a picture are encoded for training: random resized crops around the object."""

from __future__ import annotations

import torch
from jaxtyping import Bool
from torch import Tensor

from semcorr_ros.geometry.boxes import Box

SCALE = (0.5, 1.5)  # area of a crop, in areas of the object's square
ASPECT = (3 / 4, 4 / 3)
SMALLEST = 16  # pixels
LEAST_SHOWN = 0.3  # of the object's pixels
TRIES = 10


def random_window(mask: Bool[Tensor, "height width"], around: Box, generator: torch.Generator) -> Box:
    """Draw a crop (x, y, width, height) of a picture, of which `around` holds the object with a margin.

    `around` itself where no draw shows enough of the object.
    """
    height, width = mask.shape
    x0, y0, w0, h0 = around
    total = max(1, int(mask.sum()))
    for _ in range(TRIES):
        draws = torch.rand(4, generator=generator).tolist()
        area = w0 * h0 * (SCALE[0] + (SCALE[1] - SCALE[0]) * draws[0])
        aspect = ASPECT[0] * (ASPECT[1] / ASPECT[0]) ** draws[1]
        w = min(width, max(SMALLEST, round((area * aspect) ** 0.5)))
        h = min(height, max(SMALLEST, round((area / aspect) ** 0.5)))
        x = _between(x0 + min(0, w0 - w), x0 + max(0, w0 - w), draws[2], width - w)
        y = _between(y0 + min(0, h0 - h), y0 + max(0, h0 - h), draws[3], height - h)
        if int(mask[y : y + h, x : x + w].sum()) >= LEAST_SHOWN * total:
            return x, y, w, h
    return around


def whole(mask: Bool[Tensor, "height width"]) -> Box:
    """Return the window that is the whole picture."""
    return 0, 0, mask.shape[1], mask.shape[0]


def _between(low: int, high: int, share: float, most: int) -> int:
    return max(0, min(most, round(low + share * (high - low))))
