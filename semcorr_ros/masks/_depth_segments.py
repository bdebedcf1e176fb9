"""Sharpen an attention mask by depth: drop large planes, cut at depth jumps, keep what is attended to.

Attention knows what the object looks like but leaks onto floors and walls; depth knows where surfaces
end but not which one is meant.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from semcorr_ros.artifacts import Camera, DepthMap
from semcorr_ros.geometry.measured_depth import is_measured
from semcorr_ros.masks._clusters import surfaces
from semcorr_ros.masks._pieces import grown
from semcorr_ros.masks._planes import NOISE, largest_plane, points_of

MAX_PLANES = 4  # floor and walls
MIN_PLANE = 0.05  # share of the valid pixels
SIDE_PER_STD = 12**0.5  # side of a uniformly filled square


@dataclass(frozen=True)
class Config:
    """Lengths are shares of the object's diameter."""

    plane_tolerance: float = 0.04
    plane_side: float = 1.4  # smaller planes may be the object's own
    jump: float = 0.12  # depth step at which a surface ends
    min_area: float = 5e-4  # share of the image; smaller pieces are noise
    attended: float = 0.5  # share of a further piece that attention must cover
    noise: float = NOISE  # of a sensor, as a share of the depth; bounds the tolerance from below


def segment_by_depth(
    attention: Bool[Tensor, "height width"],
    depth: DepthMap,
    camera: Camera,
    diameter: float,
    generator: torch.Generator,
    config: Config = Config(),
) -> Bool[Tensor, "height width"]:
    """Select the surface pieces under attention. Returns `attention` where depth cannot tell.

    diameter: of the object, metres. The depth must be metric.
    """
    z = depth.values.cpu()
    valid = torch.isfinite(z) & (z > 0)
    if not depth.metric or diameter <= 0 or not is_measured(z, attention.cpu()):
        return attention  # what is measured around glass is not the glass
    points = points_of(z.nan_to_num(), camera)
    rest = _without_planes(points, valid, diameter, generator, config)
    labels = _pieces(z.numpy(), rest.numpy(), diameter, config)
    chosen = _attended(labels, points.numpy(), attention.cpu().numpy(), diameter, config)
    if not chosen.any():
        return attention
    # The cut took the outermost pixels of each piece.
    return torch.from_numpy(grown(chosen, 1) & rest.numpy()).to(attention.device)


def _without_planes(
    points: Float[Tensor, "height width 3"],
    valid: Bool[Tensor, "height width"],
    diameter: float,
    generator: torch.Generator,
    config: Config,
) -> Bool[Tensor, "height width"]:
    rest = valid.clone()
    tolerance = torch.maximum(config.noise * points[..., 2], torch.tensor(config.plane_tolerance * diameter))
    for _ in range(MAX_PLANES):
        plane = largest_plane(points[rest], tolerance[rest], generator)
        if plane is None:
            break
        on_plane = rest & (plane.height(points).abs() < tolerance)
        if on_plane.sum() < MIN_PLANE * valid.sum():
            break
        inliers = points[on_plane]
        if SIDE_PER_STD * float(_principal_std(inliers)[1]) < config.plane_side * diameter:
            break  # as small as the object: may be its own face, as may all smaller ones
        rest &= ~on_plane
    return rest


def _principal_std(points: Float[Tensor, "point 3"]) -> Float[Tensor, "3"]:
    """Compute standard deviations along the principal axes, ascending."""
    return torch.linalg.eigvalsh(torch.cov(points.T)).clamp_min(0).sqrt()


def _pieces(z: np.ndarray, rest: np.ndarray, diameter: float, config: Config) -> np.ndarray:
    """Label (h, w) surfaces without a depth jump; 0 = none."""
    limit = np.maximum(config.jump * diameter, 2 * config.noise * z)
    labels, areas = surfaces(z, rest, limit)
    return np.where(areas[labels] >= config.min_area * z.size, labels, 0)


def _attended(
    labels: np.ndarray, points: np.ndarray, attention: np.ndarray, diameter: float, config: Config
) -> np.ndarray:
    """Select the piece with most attention, and attended ones near it (a bar may cut an object)."""
    areas = np.bincount(labels.ravel())
    attended = np.bincount(labels[attention], minlength=len(areas))
    attended[0] = 0
    if not attended.any():
        return np.zeros_like(attention)
    # Area counts against a piece: a remaining wall may catch more stray attention than a small object.
    main = int(np.argmax(attended**2 / np.maximum(areas, 1)))
    center = np.median(points[labels == main], axis=0)
    chosen = [main]
    for piece in np.flatnonzero(attended > config.attended * np.maximum(areas, 1)):
        near = np.linalg.norm(np.median(points[labels == piece], axis=0) - center) < 0.7 * diameter
        if near and piece != main:
            chosen.append(int(piece))
    return np.isin(labels, chosen)
