"""Where an image lies on the input of a network, and which of its pixels a cell of the output shows.

`letterboxed` centres it on a square of zeros: the frame of published features and numbers, 840 pixels and
60 x 60 cells (GeoAware-SC, SphericalMaps). `unpadded` stretches it to whole cells and adds nothing. What
leaves `cut_out` covers the image without padding; from there on grid.py knows how cells and pixels map.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.geometry import grid

SIDE = 840  # pixels of the published canvas
CELLS = 60  # per side


@dataclass(frozen=True)
class Placement:
    """An image on a canvas, the input of a network. Sizes are (h, w), points (x, y)."""

    size: tuple[int, int]  # of the image
    canvas: tuple[int, int]
    content: tuple[int, int]  # of the image on the canvas, whole pixels
    scale: tuple[float, float]  # canvas pixels per image pixel
    corner: tuple[int, int]  # canvas pixel where the image begins


def letterboxed(size: tuple[int, int], side: int = SIDE) -> Placement:
    """Center on a square of `side` pixels, aspect ratio kept."""
    height, width = _checked(size)
    scale = side / max(size)
    # Python rounds halves to even, like the authors' numpy.
    content = (max(1, round(scale * height)), max(1, round(scale * width)))
    corner = ((side - content[1]) // 2, (side - content[0]) // 2)
    # One scale for both axes, not content / size: published keypoints are placed like this.
    return Placement(size, (side, side), content, (scale, scale), corner)


def unpadded(size: tuple[int, int], longer: int, multiple: int) -> Placement:
    """Stretch to whole cells of `multiple` pixels: the longer side to `longer`, the other nearly in
    proportion. Raises ValueError where `longer` is not a multiple."""
    if longer % multiple:
        raise ValueError(f"the longer side must be a multiple of {multiple} pixels, got {longer}")
    height, width = _checked(size)
    cells = longer // multiple
    h, w = (max(1, round(cells * side / max(size))) * multiple for side in size)
    return Placement(size, (h, w), (h, w), (w / width, h / height), (0, 0))


def to_canvas(points: Float[Tensor, "*batch 2"], place: Placement) -> Float[Tensor, "*batch 2"]:
    """Map pixels of the image to pixels of the canvas."""
    return points * _like(place.scale, points) + _like(place.corner, points)


def to_image(points: Float[Tensor, "*batch 2"], place: Placement) -> Float[Tensor, "*batch 2"]:
    """Map pixels of the canvas to pixels of the image."""
    return (points - _like(place.corner, points)) / _like(place.scale, points)


def cut_out(
    values: Float[Tensor, "height width channel"], place: Placement
) -> Float[Tensor, "rows columns channel"]:
    """Cut out the part of a canvas's cells that shows the image, about as fine as they are.

    Unchanged where there is no padding. Otherwise interpolated, since the image rarely begins with a cell.
    """
    if place.content == place.canvas:
        return values
    (height, width), (h, w) = place.canvas, values.shape[:2]
    cells = (max(1, round(h * place.content[0] / height)), max(1, round(w * place.content[1] / width)))
    points = to_canvas(grid.cell_centers(cells, place.size), place).to(values.device)
    return grid.sample(values, points.reshape(-1, 2), place.canvas).reshape(*cells, -1)


def _checked(size: tuple[int, int]) -> tuple[int, int]:
    if min(size) < 1:
        raise ValueError(f"an image must have at least one pixel, got {size[1]}x{size[0]}")
    return size


def _like(pair: tuple[float, float], points: Tensor) -> Tensor:
    return torch.tensor(pair, device=points.device, dtype=points.dtype)
