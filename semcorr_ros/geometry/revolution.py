"""Bodies of revolution about an upright axis, and what sticks out of them, as a handle does."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

TURNS = 12  # directions that are compared
OFF = 0.3  # canonical units from the surface at which a turned point has left it
ROUND = 0.2  # largest share of the surface that may leave it when a body of revolution turns
TELLING = 0.5  # share of the turns in which a point leaves the surface, from which on it sticks out
FITS = 5  # rounds of the fit of the axis
KEPT = 0.8  # share of the points that the next round is fitted to


def sticking_out(surface: Float[Tensor, "point 3"]) -> Bool[Tensor, "point"] | None:
    """Find the points of a surface (canonical units, z up) that tell its direction about the upright axis.

    None for a surface that is no body of revolution but for them, and for one of which none sticks out.
    """
    if len(surface) < TURNS:
        return None
    surface = surface - axis(surface)
    angles = torch.arange(1, TURNS).to(surface) * (2 * math.pi / TURNS)
    left = torch.stack([torch.cdist(surface @ turn.T, surface).amin(-1) > OFF for turn in turns(angles)])
    points = left.float().mean(0) >= TELLING
    return points if left.float().mean(1).max() <= ROUND and points.any() else None


def axis(surface: Float[Tensor, "point 3"]) -> Float[Tensor, "3"]:
    """Fit the upright axis of a body of revolution: a point (x, y, 0) of it.

    Squared radii are a quadratic in the height; what is farthest off, as a handle, is left out next time.
    """
    x, y, z = surface.unbind(-1)
    design = torch.stack([2 * x, 2 * y, torch.ones_like(z), z, z * z], -1)
    squared, kept = x * x + y * y, torch.ones_like(x, dtype=torch.bool)
    center = surface.new_zeros(2)
    for _ in range(FITS):
        fitted = torch.linalg.lstsq(design[kept], squared[kept, None]).solution[:, 0]
        center = fitted[:2]
        radius = (design[:, 2:] @ fitted[2:] + center.square().sum()).clamp_min(0).sqrt()
        off = ((surface[:, :2] - center).norm(dim=-1) - radius).abs()
        kept = off <= off.quantile(KEPT)
    return torch.cat([center, center.new_zeros(1)])


def turns(angles: Float[Tensor, "turn"]) -> Float[Tensor, "turn 3 3"]:
    """Make rotations about the upright axis through the origin; angles in radians."""
    zero, one = torch.zeros_like(angles), torch.ones_like(angles)
    cosine, sine = angles.cos(), angles.sin()
    rows = [cosine, -sine, zero, sine, cosine, zero, zero, zero, one]
    return torch.stack(rows, -1).reshape(-1, 3, 3)
