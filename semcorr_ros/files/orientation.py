"""EXIF orientation: how a stored picture is turned before anybody sees it.

Stored pixels are what the sensor wrote; shown ones are upright. Values 1 to 8 as in EXIF 2.32, table 6.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.files.picture import image_size, orientation_of

LOG = logging.getLogger(__name__)
SIDEWAYS = (5, 6, 7, 8)  # height and width change places


def upright(stored: np.ndarray, orientation: int) -> np.ndarray:
    """Turn stored pixels (h, w, ...) to how they are shown."""
    turned = stored.swapaxes(0, 1) if orientation in SIDEWAYS else stored
    if orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    return turned[:, ::-1] if orientation in (2, 3, 6, 7) else turned


def upright_points(
    points: Float[Tensor, "*batch 2"], orientation: int, shown: tuple[int, int]
) -> Float[Tensor, "*batch 2"]:
    """Take points (x, y) of the stored picture to where they are shown, in an image of `shown` (h, w)."""
    height, width = shown
    x, y = points.flip(-1).unbind(-1) if orientation in SIDEWAYS else points.unbind(-1)
    y = height - 1 - y if orientation in (3, 4, 7, 8) else y
    x = width - 1 - x if orientation in (2, 3, 6, 7) else x
    return torch.stack([x, y], -1)


def upright_box(
    box: Sequence[float], orientation: int, shown: tuple[int, int]
) -> tuple[float, float, float, float]:
    """Take a box (x, y, width, height) of the stored picture to where it is shown."""
    x, y, w, h = map(float, box)
    corners = torch.tensor([[x, y], [x + w, y + h]]) - 0.5  # edges of pixels
    ends = upright_points(corners, orientation, shown) + 0.5
    (left, top), (right, bottom) = ends.amin(0).tolist(), ends.amax(0).tolist()
    return left, top, right - left, bottom - top


def fitted(values: np.ndarray, size: tuple[int, int], image: Path | None) -> np.ndarray:
    """Turn what lies beside a picture as its EXIF data turn the picture, where only that makes the sizes fit.

    values: (h, w, ...), size: (h, w) of `image` as it is shown. Tools that ignore EXIF write stored pixels.
    """
    if image is None or values.shape[:2] == size or size[0] == size[1]:
        return values
    orientation = orientation_of(image)
    return upright(values, orientation) if orientation in SIDEWAYS else values


def of_annotation(image: Path, said: tuple[int, int]) -> int:
    """Find which orientation annotations of a picture still need, from the size (h, w) they say it has: 1
    where that is the shown size, the picture's own where it is the stored one.

    Raises FileNotFoundError, or ValueError where it is neither.
    """
    shown, orientation = image_size(image), orientation_of(image)
    if said == shown:
        return 1  # also where both sizes are alike and nothing tells: label tools show pictures upright
    if orientation in SIDEWAYS and said == shown[::-1]:
        LOG.warning("%s is annotated as stored, not as its EXIF data turn it: points are turned too", image)
        return orientation
    (height, width), (h, w) = shown, said
    raise ValueError(f"{image.name} is {width}x{height} but its annotation says {w}x{h}")
