"""Cosine similarity at many places between feature cells, without a feature at any of them.

An interpolated feature is a mean of four cells. Its product with another feature is the mean of four
products, its length follows from products of neighbouring cells: both are looked up instead of interpolating
hundreds of channels.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semcorr_ros.artifacts import FeatureMap
from semcorr_ros.geometry import grid


def cosines(
    features: FeatureMap, pixels: Float[Tensor, "point place 2"], wanted: Float[Tensor, "point channel"]
) -> Float[Tensor, "point place"]:
    """Compute `features_at(features, pixels) . wanted` of every point at its places; wanted: unit norm."""
    cells = features.values.flatten(0, 1)
    taps, weights = _taps(features, pixels)
    products = wanted @ cells.T
    dot = sum(weight * products.gather(1, tap) for tap, weight in zip(taps, weights, strict=True))
    return dot / _squared_length(features.values, taps, weights).sqrt().clamp_min(1e-12)


def _taps(
    features: FeatureMap, pixels: Float[Tensor, "point place 2"]
) -> tuple[list[Int[Tensor, "point place"]], list[Float[Tensor, "point place"]]]:
    """Number the four cells around every pixel, row by row, and weigh them; border cells extend outwards."""
    x, y, width, height = grid.window(features)
    h, w, _ = features.values.shape
    inside = pixels - torch.tensor([x, y], device=pixels.device, dtype=pixels.dtype)
    last = torch.tensor([w - 1, h - 1], device=pixels.device)
    at = grid.pixels_to_cells(inside, (h, w), (height, width)).clamp_min(0).minimum(last.to(pixels))
    low = at.floor().long()
    high = (low + 1).minimum(last)
    u, v = (at - low).unbind(-1)
    taps = [row[..., 1] * w + column[..., 0] for row in (low, high) for column in (low, high)]
    return taps, [(1 - u) * (1 - v), u * (1 - v), (1 - u) * v, u * v]


def _squared_length(
    values: Float[Tensor, "row column channel"],
    taps: list[Int[Tensor, "point place"]],
    weights: list[Float[Tensor, "point place"]],
) -> Float[Tensor, "point place"]:
    """Compute the squared length of the weighted means of four neighbouring unit features."""
    left, right, top, bottom = values[:, :-1], values[:, 1:], values[:-1], values[1:]
    across, down, falling, rising = (
        _products(*pair, (values.shape[0], values.shape[1]))
        for pair in ((left, right), (top, bottom), (left[:-1], right[1:]), (right[:-1], left[1:]))
    )
    (a, b, c, _), (p, q, r, s) = taps, weights
    mixed = p * q * across[a] + r * s * across[c] + p * r * down[a] + q * s * down[b]
    return p**2 + q**2 + r**2 + s**2 + 2 * (mixed + p * s * falling[a] + q * r * rising[a])


def _products(
    one: Float[Tensor, "row column channel"],
    other: Float[Tensor, "row column channel"],
    size: tuple[int, int],
) -> Float[Tensor, "cell"]:
    """Multiply neighbouring cells, in a row over a grid of `size`; 0 where a border cell has no neighbour."""
    products = torch.einsum("rcd,rcd->rc", one, other)
    missing = (0, size[1] - products.shape[1], 0, size[0] - products.shape[0])
    return torch.nn.functional.pad(products, missing).reshape(-1)
