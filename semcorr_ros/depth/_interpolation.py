"""Interpolation of sparse depth by linear radial basis functions, clipped near the known range."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

BEYOND = 0.15  # of the range of the known depths, by which others may lie outside it
SMOOTH = 1e-6  # keypoints may be annotated on one pixel; relative to the extent of all
CHUNK = 2_000_000  # pixels times keypoints at a time


def interpolate(
    pixels: Float[Tensor, "point 2"], depths: Float[Tensor, "point"], size: tuple[int, int]
) -> Float[Tensor, "height width"]:
    """Interpolate depths, of one point at least, over the image; clipped far from them."""
    (height, width), points = size, pixels.double()
    middle = points.mean(0)
    extent = (points - middle).norm(dim=-1).max().clamp_min(1.0)
    weights, level = _solve((points - middle) / extent, depths.double())
    spread = float(depths.max() - depths.min())
    low, high = float(depths.min()) - BEYOND * spread, float(depths.max()) + BEYOND * spread
    columns = (torch.arange(width, dtype=torch.float64) - middle[0]) / extent
    rows = (torch.arange(height, dtype=torch.float64) - middle[1]) / extent
    centers = (points - middle) / extent
    found = []
    for part in rows.split(max(1, CHUNK // (width * len(points)))):
        # torch.hypot guards against overflow, which cannot happen here, and takes six times as long.
        x, y = columns[None, :, None] - centers[:, 0], part[:, None, None] - centers[:, 1]
        away = (x.square() + y.square()).sqrt()
        found.append((away @ weights + level).clamp(low, high).float())
    return torch.cat(found)


def _solve(centers: Tensor, depths: Tensor) -> tuple[Float[Tensor, "point"], Tensor]:
    """Solve for weights that sum to 0, and the constant, of the kernel -|r| (Wendland 2005, ch. 8)."""
    count = len(centers)
    system = torch.ones(count + 1, count + 1, dtype=torch.float64)
    system[:count, :count] = torch.cdist(centers, centers) - SMOOTH * torch.eye(count, dtype=torch.float64)
    system[count, count] = 0
    solved = torch.linalg.solve(system, torch.cat([depths, depths.new_zeros(1)]))
    return solved[:count], solved[count]
