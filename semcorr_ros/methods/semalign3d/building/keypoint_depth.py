"""Depth at annotated keypoints, robust against holes, mask borders and depth edges.

An annotation is a few pixels off and often lies on a silhouette, where the depth map jumps. So depth
is read in a window of usable pixels (valid and inside the eroded mask) around the nearest usable one.
Where the window straddles a step the nearer surface wins: an annotated keypoint is visible. A plane
fitted to that surface (planes are linear in inverse depth) gives the depth at the annotation itself,
which on slanted surfaces halves the error of a mean: the window lies to one side of a silhouette.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from semcorr_ros.geometry.neighborhood import maximum_around
from semcorr_ros.methods.semalign3d.building.config import BuildConfig

NEAR_SHARE = 0.2  # of the window's weight that the nearer surface needs to win
SLOPE_RIDGE = 0.01  # squared windows: a few pixels do not tell a slope
MAX_EXTRAPOLATION = 2.0  # steps between surfaces by which the plane may differ from the window's mean


def usable_pixels(
    depth: Float[Tensor, "height width"], mask: Bool[Tensor, "height width"]
) -> Bool[Tensor, "height width"]:
    """Find pixels inside the slightly eroded mask whose depth is valid. Erosion is left out where it would
    leave nothing."""
    valid = torch.isfinite(depth) & (depth > 0) & mask
    radius = max(1, round(max(depth.shape) / 400))
    eroded = valid & (maximum_around((~mask).float(), radius) == 0)
    return eroded if eroded.sum() >= 0.25 * valid.sum() else valid


def keypoint_depths(
    depth: Float[Tensor, "height width"],
    usable: Bool[Tensor, "height width"],
    keypoints: Float[Tensor, "keypoint 2"],
    config: BuildConfig,
) -> Float[Tensor, "keypoint"]:
    """Read the depth of every keypoint, 0 where it cannot be read. NaN keypoints give 0."""
    side = max(depth.shape)
    rows, columns = usable.nonzero(as_tuple=True)
    result = torch.zeros(len(keypoints))
    known = torch.isfinite(keypoints).all(-1)
    if len(rows) == 0 or not known.any():
        return result
    spots = torch.stack([columns, rows], -1).float()
    distance, nearest = torch.cdist(keypoints[known].float(), spots).min(-1)
    radius = max(2, round(config.depth_window * side))
    window = _windows(depth, usable, spots[nearest].long(), keypoints[known], radius)
    low, high = _extent(depth[usable])
    step = config.depth_edge * (high - low)
    read = _plane_depth(_nearer_surface(window, step), step)
    result[known] = torch.where(distance <= config.snap_limit * side, read, 0.0)
    return result


def _extent(values: Tensor) -> tuple[float, float]:
    low, high = (int(share * (len(values) - 1)) + 1 for share in (0.02, 0.98))
    return float(values.kthvalue(low).values), float(values.kthvalue(high).values)


@dataclass(frozen=True)
class _Window:
    """Pixels around every keypoint."""

    depth: Float[Tensor, "keypoint pixel"]  # inf where the share is 0
    share: Float[Tensor, "keypoint pixel"]  # Gaussian around the annotation, 0 for unusable pixels
    offset: Float[Tensor, "keypoint pixel 2"]  # from the annotation, in window radii


def _windows(depth: Tensor, usable: Tensor, center: Tensor, keypoints: Tensor, radius: int) -> _Window:
    h, w = depth.shape
    steps = torch.arange(-radius, radius + 1)
    offsets = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), -1).reshape(-1, 2)
    pixels = center[:, None] + offsets
    inside = (pixels >= 0).all(-1) & (pixels[..., 0] < w) & (pixels[..., 1] < h)
    x, y = pixels[..., 0].clamp(0, w - 1), pixels[..., 1].clamp(0, h - 1)
    offset = (pixels - keypoints[:, None]) / radius
    away = (offset**2).sum(-1)
    # Relative to the nearest one that is usable, so that a snapped keypoint still has weights.
    away = torch.where(inside & usable[y, x], away, torch.inf)
    share = torch.exp(away.min(-1, keepdim=True).values * 2 - 2 * away)
    return _Window(torch.where(share > 0, depth[y, x], torch.inf), share, offset)


def _nearer_surface(window: _Window, step: float) -> _Window:
    """Drop from the window the farther of two surfaces, or without the nearer if that is only a fringe."""
    ordered = window.depth.sort(-1).values
    gaps = torch.where(torch.isfinite(ordered[:, 1:]), ordered[:, 1:] - ordered[:, :-1], 0.0)
    gap, after = gaps.max(-1)
    near = window.depth <= ordered.gather(-1, after[:, None])
    near_share = (window.share * near).sum(-1) / window.share.sum(-1).clamp_min(1e-12)
    chosen = torch.where((near_share >= NEAR_SHARE)[:, None], near, ~near) | (gap <= step)[:, None]
    return replace(window, share=window.share * chosen)


def _plane_depth(window: _Window, step: float) -> Float[Tensor, "keypoint"]:
    """Compute the depth at offset 0 of the plane through a window; 0 for an empty one."""
    total = window.share.sum(-1, keepdim=True)
    share = window.share / total.clamp_min(1e-12)
    inverse = torch.where(window.share > 0, 1 / window.depth, 0.0)
    mean = (share * inverse).sum(-1)
    design = torch.cat([torch.ones_like(window.offset[..., :1]), window.offset], -1)
    left = torch.einsum("kp,kpi,kpj->kij", share, design, design)
    left = left + torch.diag(torch.tensor([1e-6, SLOPE_RIDGE, SLOPE_RIDGE]))
    right = torch.einsum("kp,kpi,kp->ki", share, design, inverse - mean[:, None])
    level = mean + torch.linalg.solve(left, right)[:, 0]
    middle, reach = 1 / mean.clamp_min(1e-9), MAX_EXTRAPOLATION * step
    plane = (1 / level.clamp_min(1e-9)).clamp(middle - reach, middle + reach)
    return torch.where(total[:, 0] > 0, plane, 0.0)
