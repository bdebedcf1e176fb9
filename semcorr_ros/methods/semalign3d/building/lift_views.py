"""Annotated keypoints and surface pixels to 3D, and their mirror images."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.artifacts import Camera
from semcorr_ros.geometry.cameras import centered, unproject
from semcorr_ros.methods.semalign3d.artifacts import Views
from semcorr_ros.methods.semalign3d.building.evidence import Evidence

MIRROR = (-1.0, 1.0, 1.0)


def camera_of(evidence: Evidence, focal: float) -> Camera:
    """Return the known camera, or one with `focal` in units of the longer image side."""
    return evidence.camera or centered(focal * max(evidence.size), evidence.size)


def lift_views(evidence: Sequence[Evidence], focals: Float[Tensor, "view"]) -> Views:
    """Lift the keypoints of the original views into their camera frames."""
    points = []
    for view, focal in zip(evidence, focals.tolist(), strict=True):
        lifted = unproject(view.pixels.nan_to_num(), view.depths, camera_of(view, focal))
        points.append(torch.where(view.depths[:, None] > 0, lifted, 0.0))
    visible = torch.stack([view.depths > 0 for view in evidence])
    names = tuple(view.name for view in evidence)
    return Views(torch.stack(points), visible, torch.zeros(len(evidence), dtype=torch.bool), names)


def lift_surface(evidence: Evidence, focal: float) -> Float[Tensor, "point 3"]:
    """Lift the sampled object pixels of one original view into its camera frame."""
    return unproject(evidence.surface_pixels, evidence.surface_depths, camera_of(evidence, focal))


def mirror_points(points: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
    """Move points to where they lie in the camera frame of the mirrored image."""
    return points * torch.tensor(MIRROR)


def add_mirrored(views: Views, flip: tuple[int, ...]) -> Views:
    """Append to the original views their mirror images with permuted keypoint ids."""
    # Keypoint k of a view becomes keypoint flip[k]; a flip table is its own inverse.
    order = torch.tensor(flip)
    return Views(
        points=torch.cat([views.points, mirror_points(views.points)[:, order]]),
        visible=torch.cat([views.visible, views.visible[:, order]]),
        mirrored=torch.cat([views.mirrored, ~views.mirrored]),
        names=views.names + views.names,
    )
