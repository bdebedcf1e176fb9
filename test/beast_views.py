"""Views of beasts as the build sees them after lifting, and how far a shape is from the truth."""

from __future__ import annotations

import builders
import torch
from torch import Tensor

from semcorr_ros.geometry.similarity import apply_similarity, fit_similarity
from semcorr_ros.methods.semalign3d.artifacts import Views


def views_of(pictures: list[builders.Picture], everything: bool = False) -> Views:
    """Exact 3D keypoints, each view in its own unit; `everything`: occluded keypoints too."""
    visible = torch.stack([picture.sample.annotated.visible for picture in pictures]) | everything
    units = torch.linspace(0.2, 5, len(pictures))[:, None, None]
    points = torch.stack([picture.keypoints for picture in pictures]) * units
    names = tuple(picture.sample.annotated.name for picture in pictures)
    mirrored = torch.zeros(len(pictures), dtype=torch.bool)
    return Views(torch.where(visible[..., None], points, 0.0), visible, mirrored, names)


def shape_error(shape: Tensor, truth: Tensor) -> float:
    """Mean distance after the best similarity, relative to the mean radius."""
    moved = apply_similarity(shape, *fit_similarity(shape, truth))
    return float((moved - truth).norm(dim=-1).mean() / (truth - truth.mean(0)).norm(dim=-1).mean())


def mean_keypoints() -> Tensor:
    return builders.keypoints_of(builders.mean_beast())
