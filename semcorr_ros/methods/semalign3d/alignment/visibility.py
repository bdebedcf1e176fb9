"""Only points on the near side may explain a pixel: a class point knows from where it was seen."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.geometry.similarity import fit_similarity
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation

HORIZON = 0.0  # facing . direction above which a point counts as fully visible
SOFTNESS = 0.15  # how fast visibility falls below the horizon


@torch.no_grad()
def log_visibility(
    model: ClassRepresentation,
    keypoints: Float[Tensor, "hypothesis keypoint 3"],
    points: Float[Tensor, "hypothesis point 3"],
    facing: Float[Tensor, "point 3"] | None,
) -> Float[Tensor, "hypothesis point"]:
    """Compute log visibility of camera-frame points: 0 when turned to the camera, falling behind it."""
    if facing is None:
        return torch.zeros(points.shape[:2], device=points.device)
    canonical = model.sparse[model.annotated].expand(len(keypoints), -1, -1)
    _, rotation, _ = fit_similarity(canonical, keypoints[:, model.annotated])
    to_camera = torch.nn.functional.normalize(-points, dim=-1) @ rotation
    turned = (to_camera * facing).sum(-1)
    return -0.5 * ((HORIZON - turned).clamp_min(0) / SOFTNESS) ** 2
