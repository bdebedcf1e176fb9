"""Disparity is not depth: larger is nearer. The two have different types; this turns one into the other."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from semcorr_ros.artifacts import DepthMap

# Relative disparity reaches 0 at the horizon; its inverse there is noise, not a distance.
MIN_DISPARITY = 1e-3  # of the largest in the image
RELEASE_RELIEF = 0.3  # share of the depth range that the authors' code gives to the whole image
# Of the largest disparity: what a network leaves out if it puts 0 at two to three times the object's
# distance. On procedural objects the shape is 2 to 3 % off whatever the true shift (inverse: 2 to 8 %,
# release: 3 to 5 %).
TYPICAL_SHIFT = 0.5


@dataclass(frozen=True)
class DisparityMap:
    """Inverse depth of every pixel up to scale and, from a network, an unknown shift; negative = invalid."""

    values: Float[Tensor, "height width"]


def inverted(disparity: DisparityMap) -> DepthMap:
    """Compute 1 / disparity, up to scale: right where disparity has no shift, as that of a stereo camera."""
    usable, largest = _usable(disparity)
    usable &= disparity.values >= MIN_DISPARITY * largest
    values = torch.where(usable, largest / disparity.values.clamp_min(1e-30), 0)
    return DepthMap(values, metric=False)


def as_released(disparity: DisparityMap) -> DepthMap:
    """Compute 1 - 0.3 disparity / max: what SemAlign3D's authors do with Depth Anything's output.

    Not in the paper. An unknown shift does it little harm; relief is at most 30 % of the distance.
    """
    usable, largest = _usable(disparity, zero=True)
    values = torch.where(usable, 1 - RELEASE_RELIEF * disparity.values / largest.clamp_min(1e-30), 0)
    return DepthMap(values, metric=False)


def shifted(disparity: DisparityMap) -> DepthMap:
    """Compute 1 / (disparity + a typical shift): the 0 of a network's disparity is not infinitely far."""
    usable, largest = _usable(disparity, zero=True)
    relative = disparity.values / largest.clamp_min(1e-30)
    return DepthMap(torch.where(usable, 1 / (relative + TYPICAL_SHIFT), 0), metric=False)


DECODINGS = {"release": as_released, "inverse": inverted, "shifted": shifted}


def _usable(
    disparity: DisparityMap, zero: bool = False
) -> tuple[Bool[Tensor, "height width"], Float[Tensor, ""]]:
    values = disparity.values
    usable = torch.isfinite(values) & ((values >= 0) if zero else (values > 0))
    return usable, torch.where(usable, values, 0).max()
