"""A canvas cut into overlapping tiles, and the layers of a network put together from theirs.

Stable Diffusion was trained on 512 pixels: a canvas of 960 goes through it as 2 x 2 tiles at 0 and 448,
and where they overlap their features are averaged (ODISE's sliding window, used by sd-dino and GeoAware).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

TILE = 512  # pixels
STEP = 64  # pixels per cell of the coarsest layer: tiles begin on a cell of every layer


@dataclass(frozen=True)
class Tiling:
    """Where tiles lie on a canvas, pixels."""

    canvas: tuple[int, int]  # (h, w)
    tile: tuple[int, int]  # (h, w)
    corners: tuple[tuple[int, int], ...]  # (y, x), row by row


def tiling(canvas: tuple[int, int], tile: int = TILE) -> Tiling:
    """Cover a canvas by the fewest tiles, evenly spread. Raises ValueError for a canvas of broken cells."""
    if min(canvas) < STEP or any(side % STEP for side in canvas):
        raise ValueError(f"both sides of a canvas must be multiples of {STEP} pixels, got {canvas}")
    rows, columns = (offsets(side, tile) for side in canvas)
    corners = tuple((y, x) for y in rows for x in columns)
    return Tiling(canvas, (min(tile, canvas[0]), min(tile, canvas[1])), corners)


def offsets(length: int, tile: int) -> tuple[int, ...]:
    """Compute where tiles begin along one side, in pixels, multiples of STEP."""
    count = -(-length // tile)
    free = max(length - tile, 0) // STEP
    return tuple(STEP * round(free * i / max(count - 1, 1)) for i in range(count))


def cut(
    canvases: Shaped[Tensor, "batch channel height width"], tiles: Tiling
) -> Shaped[Tensor, "batch tile channel tile_height tile_width"]:
    """Cut every canvas into its tiles."""
    h, w = tiles.tile
    return torch.stack([canvases[..., y : y + h, x : x + w] for y, x in tiles.corners], dim=1)


def put_together(
    parts: Sequence[Float[Tensor, "channel h w"]], tiles: Tiling
) -> Float[Tensor, "channel rows columns"]:
    """Assemble a layer over the canvas from that of each tile; averages where tiles overlap."""
    channels, h, w = parts[0].shape
    per_cell = tiles.tile[0] // h
    rows, columns = (side // per_cell for side in tiles.canvas)
    total = parts[0].new_zeros(channels, rows, columns)
    count = parts[0].new_zeros(rows, columns)
    for part, (y, x) in zip(parts, tiles.corners, strict=True):
        here = slice(y // per_cell, y // per_cell + h), slice(x // per_cell, x // per_cell + w)
        total[:, here[0], here[1]] += part
        count[here] += 1
    return total / count
