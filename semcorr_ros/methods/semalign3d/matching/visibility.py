"""Which points of an aligned class face the camera, and which are hidden by the class itself."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.geometry import cameras
from semcorr_ros.methods.semalign3d.artifacts import Alignment

RADIUS = 0.2  # canonical units: what is nearer to the line of sight than this can hide a point
DEPTH_SOFTNESS = 0.25  # canonical units behind the front surface at which a point counts as hidden


def visible_share(points: Float[Tensor, "point 3"], aligned: Alignment) -> Float[Tensor, "point"]:
    """Compute soft visibility of camera-frame points against the best hypothesis's dense cloud."""
    cloud, scale = aligned.dense[0], aligned.scale[0]
    pixels_per_unit = aligned.focal[0] / cloud[:, 2].mean().clamp_min(1e-6) * scale
    distance = torch.cdist(cameras.project(points, aligned.camera), cameras.project(cloud, aligned.camera))
    near = distance < RADIUS * pixels_per_unit
    front = torch.where(near, cloud[:, 2], torch.inf).min(-1).values
    behind = ((points[:, 2] - front) / scale).clamp_min(0) / (2 * DEPTH_SOFTNESS)
    return torch.exp(-(behind**2))
