"""The frame of published numbers: the image centred on a square canvas of 840 pixels, 60 x 60 cells on it.

As in GeoAware-SC and SphericalMaps. PCK does not need it (errors and radius scale alike); KAP does, since
it counts cells.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from semcorr_ros.artifacts import FeatureMap
from semcorr_ros.geometry import grid

SIDE = 840  # pixels of the canvas
CELLS = 60  # per side
CELL = SIDE // CELLS


def placement(size: tuple[int, int]) -> tuple[float, tuple[int, int]]:
    """Scale of an (h, w) image on the canvas and where its corner (x, y) lies, whole pixels."""
    height, width = size
    scale = SIDE / max(height, width)
    # Python rounds halves to even, like the authors' numpy.
    offset = (int((SIDE - round(scale * width)) / 2), int((SIDE - round(scale * height)) / 2))
    return scale, offset


def to_canvas(points: Float[Tensor, "*batch 2"], size: tuple[int, int]) -> Float[Tensor, "*batch 2"]:
    """Pixels of the image to pixels of the canvas."""
    scale, offset = placement(size)
    return points * scale + torch.tensor(offset, device=points.device, dtype=points.dtype)


def to_image(points: Float[Tensor, "*batch 2"], size: tuple[int, int]) -> Float[Tensor, "*batch 2"]:
    """Pixels of the canvas to pixels of the image."""
    scale, offset = placement(size)
    return (points - torch.tensor(offset, device=points.device, dtype=points.dtype)) / scale


def cell(points: Float[Tensor, "*batch 2"]) -> Int[Tensor, "*batch"]:
    """Number of the cell a canvas pixel lies in, row by row. A point on the far border has none: -1."""
    column, row = (points * CELLS / SIDE).long().unbind(-1)
    inside = ((points >= 0) & (points < SIDE)).all(-1)
    return torch.where(inside, CELLS * row + column, -1)


def corners() -> Float[Tensor, "cell 2"]:
    """Canvas pixel of the top left corner of every cell, row by row."""
    start = torch.arange(CELLS, dtype=torch.float32) * CELL
    return torch.stack(torch.meshgrid(start, start, indexing="xy"), -1).reshape(-1, 2)


def resampled(
    similarity: Float[Tensor, "point height width"], features: FeatureMap
) -> tuple[Float[Tensor, "point cell"], Bool[Tensor, "every"]]:
    """Similarity on the cells of the canvas that show the image, and which of all cells these are.

    The padding is left out: our features have no cells there.
    """
    size = features.image_size
    x, y, width, height = grid.window(features)
    centers = to_image(corners() + CELL / 2, size) - torch.tensor([x, y])
    shown = ((centers >= 0) & (centers < torch.tensor([width, height]))).all(-1)
    values = grid.sample(similarity.permute(1, 2, 0), centers[shown].to(similarity), (height, width))
    return values.T, shown
