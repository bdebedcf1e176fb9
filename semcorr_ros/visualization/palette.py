"""Colors that mean something: the place on the class, or which of several points it is."""

from __future__ import annotations

import colorsys

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

GOLDEN = 0.61803398875  # consecutive hues far apart, however many there are


def distinct(count: int) -> list[tuple[int, int, int]]:
    """Choose bright colors, each far from the ones before it."""
    colors = [
        colorsys.hsv_to_rgb((0.02 + i * GOLDEN) % 1.0, 0.75 if i % 2 else 0.9, 1.0) for i in range(count)
    ]
    return [(round(255 * r), round(255 * g), round(255 * b)) for r, g, b in colors]


def by_position(points: Float[Tensor, "point 3"]) -> UInt8[Tensor, "point 3"]:
    """Color by canonical x, y, z as red, green, blue.

    The same place of a class has the same color everywhere.
    """
    low, high = points.amin(0), points.amax(0)
    share = (points - low) / (high - low).clamp_min(1e-6)
    return (255 * (0.15 + 0.85 * share)).round().to(torch.uint8)
