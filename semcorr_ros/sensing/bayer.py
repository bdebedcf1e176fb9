"""Bayer mosaics to RGB, bilinear."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

ORDERS = ("rggb", "bggr", "gbrg", "grbg")  # colors of the first two rows' first two pixels


def demosaic(order: str) -> Callable[[np.ndarray], np.ndarray]:
    """Function from a mosaic (h, w, 1) uint8 to RGB (h, w, 3) uint8."""

    def to_rgb(mosaic: np.ndarray) -> np.ndarray:
        values = mosaic[..., 0].astype(np.uint16)
        planes = [_fill(values, order, color) for color in "rgb"]
        return np.stack(planes, -1)

    return to_rgb


def _fill(values: np.ndarray, order: str, color: str) -> np.ndarray:
    """One color everywhere: its own samples, and between them the mean of those among eight neighbours.

    With these weights it is the bilinear mean at every place of the pattern, and at the border too.
    """
    known = np.zeros(values.shape, np.uint16)
    for at, name in enumerate(order):
        if name == color:
            known[at // 2 :: 2, at % 2 :: 2] = 1
    total, weight = _smooth(values * known), _smooth(known)
    mean = (total + weight // 2) // np.maximum(weight, 1)
    return np.where(known, values, mean).astype(np.uint8)


def _smooth(plane: np.ndarray) -> np.ndarray:
    """Sum over 3 x 3 with weights 1 2 1 along both axes; zeros outside."""
    padded = np.pad(plane, 1)
    rows = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    return rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:]
