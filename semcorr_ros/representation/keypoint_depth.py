"""Depth at annotated keypoints, robust against holes, mask borders and depth edges.

An annotation is a few pixels off and often lies on a silhouette, where the depth map jumps. So depth
is read in a window of usable pixels (valid and inside the eroded mask) around the nearest usable one,
and where the window straddles a step the nearer surface wins: an annotated keypoint is visible.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from semcorr_ros.representation.config import Config

NEAR_SHARE = 0.2  # of the window's weight that the nearer surface needs to win


def usable_pixels(
    depth: Float[Tensor, "height width"], mask: Bool[Tensor, "height width"]
) -> Bool[Tensor, "height width"]:
    """Pixels inside the slightly eroded mask whose depth is valid. Erosion is left out where it would
    leave nothing."""
    valid = torch.isfinite(depth) & (depth > 0) & mask
    radius = max(1, round(max(depth.shape) / 400))
    outside = (~mask).float()[None, None]
    grown = torch.nn.functional.max_pool2d(outside, 2 * radius + 1, stride=1, padding=radius)
    eroded = valid & (grown[0, 0] == 0)
    return eroded if eroded.sum() >= 0.25 * valid.sum() else valid


def keypoint_depths(
    depth: Float[Tensor, "height width"],
    usable: Bool[Tensor, "height width"],
    keypoints: Float[Tensor, "keypoint 2"],
    config: Config,
) -> Float[Tensor, "keypoint"]:
    """Depth of every keypoint, 0 where it cannot be read. NaN keypoints give 0."""
    side = max(depth.shape)
    rows, columns = usable.nonzero(as_tuple=True)
    result = torch.zeros(len(keypoints))
    known = torch.isfinite(keypoints).all(-1)
    if len(rows) == 0 or not known.any():
        return result
    spots = torch.stack([columns, rows], -1).float()
    distance, nearest = torch.cdist(keypoints[known].float(), spots).min(-1)
    radius = max(2, round(config.depth_window * side))
    window, share = _windows(depth, usable, spots[nearest].long(), keypoints[known], radius)
    low, high = _extent(depth[usable])
    read = _nearer_surface(window, share, config.depth_edge * (high - low))
    result[known] = torch.where(distance <= config.snap_limit * side, read, 0.0)
    return result


def _extent(values: Tensor) -> tuple[float, float]:
    ordered = values.sort().values
    return float(ordered[int(0.02 * (len(ordered) - 1))]), float(ordered[int(0.98 * (len(ordered) - 1))])


def _windows(
    depth: Tensor, usable: Tensor, center: Tensor, keypoints: Tensor, radius: int
) -> tuple[Tensor, Tensor]:
    """Depths (K, window) and weights: Gaussian around the annotation, 0 for unusable pixels."""
    h, w = depth.shape
    steps = torch.arange(-radius, radius + 1)
    offsets = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), -1).reshape(-1, 2)
    pixels = center[:, None] + offsets
    inside = (pixels >= 0).all(-1) & (pixels[..., 0] < w) & (pixels[..., 1] < h)
    x, y = pixels[..., 0].clamp(0, w - 1), pixels[..., 1].clamp(0, h - 1)
    away = ((pixels - keypoints[:, None]) ** 2).sum(-1)
    # Relative to the nearest one, so that a snapped keypoint still has weights.
    away = away - away.min(-1, keepdim=True).values
    share = torch.exp(-away / (0.5 * radius**2)) * (inside & usable[y, x])
    return torch.where(share > 0, depth[y, x], 0.0), share


def _nearer_surface(window: Tensor, share: Tensor, step: float) -> Tensor:
    """Weighted mean of the nearer of two surfaces, or of all if there is no step in the window."""
    infinite = torch.where(share > 0, window, torch.inf)
    ordered, order = infinite.sort(-1)
    share = share.gather(-1, order)
    gaps = torch.where(torch.isfinite(ordered[:, 1:]), ordered[:, 1:] - ordered[:, :-1], 0.0)
    gap, after = gaps.max(-1)
    near = torch.arange(window.shape[-1]) <= after[:, None]
    near_share = (share * near).sum(-1) / share.sum(-1).clamp_min(1e-12)
    chosen = torch.where((near_share >= NEAR_SHARE)[:, None], near, ~near) | (gap <= step)[:, None]
    weight = share * chosen
    finite = torch.where(torch.isfinite(ordered), ordered, 0.0)
    return (weight * finite).sum(-1) / weight.sum(-1).clamp_min(1e-12)
