"""Pictures beside their maps of the sphere: one color, one place of the object (the paper's Figure 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from semcorr_ros.visualization.canvas import resized

TILE_PX = 160
DIMMED = 0.15  # of a color where there is no object


@dataclass(frozen=True)
class Tile:
    """A picture and the map of a window of it."""

    image: UInt8[Tensor, "height width 3"]
    spheres: Float[Tensor, "h w 3"]
    mask: Bool[Tensor, "h w"]  # cells on the object
    window: tuple[int, int, int, int] | None = None  # x, y, width, height; None: the whole picture


def sphere_colors(spheres: Float[Tensor, "*batch 3"]) -> UInt8[Tensor, "*batch 3"]:
    """Color unit vectors: x, y and z in [-1, 1] as red, green and blue."""
    return (255 * (0.5 + 0.5 * spheres.clamp(-1, 1))).round().to(torch.uint8)


def sphere_picture(rows: Sequence[Sequence[Tile]]) -> UInt8[Tensor, "height width 3"]:
    """Draw two lines per row: the pictures, and below them their maps.

    Raises ValueError when there is nothing to draw.
    """
    width = max((len(row) for row in rows), default=0)
    if not width:
        raise ValueError("nothing to draw")
    lines = []
    for row in rows:
        blank = [torch.zeros(TILE_PX, TILE_PX, 3, dtype=torch.uint8)] * (width - len(row))
        lines.append(torch.cat([*(_cut(tile) for tile in row), *blank], 1))
        lines.append(torch.cat([*(_map(tile) for tile in row), *blank], 1))
    return torch.cat(lines)


def _cut(tile: Tile) -> Tensor:
    height, width = tile.image.shape[:2]
    x, y, w, h = tile.window or (0, 0, width, height)
    return resized(tile.image[y : y + h, x : x + w], (TILE_PX, TILE_PX), "bilinear")


def _map(tile: Tile) -> Tensor:
    share = torch.where(tile.mask.cpu(), 1.0, DIMMED)[..., None]
    painted = (sphere_colors(tile.spheres.cpu()).float() * share).round().to(torch.uint8)
    return resized(painted, (TILE_PX, TILE_PX), "nearest")
