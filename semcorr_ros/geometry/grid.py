"""Feature cells and pixels: the one place that knows how they map onto each other."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from semcorr_ros.artifacts import FeatureMap


def cell_centers(grid: tuple[int, int], image_size: tuple[int, int]) -> Float[Tensor, "height width 2"]:
    """Compute the pixel (x, y) of every cell centre of an h x w grid over an H x W image."""
    (h, w), (height, width) = grid, image_size
    y = (torch.arange(h) + 0.5) / h * height
    x = (torch.arange(w) + 0.5) / w * width
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)


def pixels_to_cells(
    pixels: Float[Tensor, "*batch 2"], grid: tuple[int, int], image_size: tuple[int, int]
) -> Float[Tensor, "*batch 2"]:
    """Compute the continuous (column, row) of pixels; the centre of cell (r, c) is (c, r)."""
    (h, w), (height, width) = grid, image_size
    per_pixel = torch.tensor([w / width, h / height], device=pixels.device, dtype=pixels.dtype)
    return pixels * per_pixel - 0.5


def sample(
    grid_values: Float[Tensor, "height width channel"],
    pixels: Float[Tensor, "point 2"],
    image_size: tuple[int, int],
) -> Float[Tensor, "point channel"]:
    """Interpolate a grid bilinearly at pixels; the border cells extend outwards."""
    h, w, _ = grid_values.shape
    cells = pixels_to_cells(pixels, (h, w), image_size)
    size = torch.tensor([w, h], device=cells.device, dtype=cells.dtype)
    coords = ((2 * cells + 1) / size - 1)[None, None]
    values = grid_values.permute(2, 0, 1)[None]
    out = torch.nn.functional.grid_sample(
        values, coords.to(values), mode="bilinear", padding_mode="border", align_corners=False
    )
    return out[0, :, 0].T


def window(features: FeatureMap) -> tuple[int, int, int, int]:
    """Return what the grid covers: x and y of the first pixel, width, height."""
    height, width = features.image_size
    return features.window or (0, 0, width, height)


def centers(features: FeatureMap) -> Float[Tensor, "height width 2"]:
    """Compute the pixel (x, y) of every cell centre of a feature map, on its device."""
    x, y, width, height = window(features)
    h, w, _ = features.values.shape
    corner = torch.tensor([x, y], device=features.values.device)
    return cell_centers((h, w), (height, width)).to(corner.device) + corner


def cell_size(features: FeatureMap) -> tuple[float, float]:
    """Return width and height of one cell, pixels."""
    _, _, width, height = window(features)
    h, w, _ = features.values.shape
    return width / w, height / h


def cells_of(mask: Bool[Tensor, "height width"], features: FeatureMap) -> Bool[Tensor, "h w"]:
    """Tell which cells of a feature map have their centre in a mask of the image, on the mask's device."""
    height, width = mask.shape
    x, y = centers(features).round().long().to(mask.device).unbind(-1)
    return mask[y.clamp(0, height - 1), x.clamp(0, width - 1)]


def features_at(features: FeatureMap, pixels: Float[Tensor, "point 2"]) -> Float[Tensor, "point channel"]:
    """Read unit-norm features at pixels, interpolated between the four nearest cells.

    Outside the window the border cells extend outwards.
    """
    return torch.nn.functional.normalize(interpolated(features, pixels), dim=-1)


def interpolated(features: FeatureMap, pixels: Float[Tensor, "point 2"]) -> Float[Tensor, "point channel"]:
    """Interpolate features at pixels between the four nearest cells; shorter than 1 where those differ."""
    x, y, width, height = window(features)
    inside = pixels - torch.tensor([x, y], device=pixels.device, dtype=pixels.dtype)
    return sample(features.values, inside, (height, width))
