"""Members of the procedural classes, seen from random sides: annotations, and the truth about them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from semcorr_lab.synthetic import categories
from semcorr_ros.artifacts import AnnotatedImage, Camera, CategoryInfo
from semcorr_ros.geometry.cameras import centered, project
from semcorr_ros.methods.semalign3d.artifacts import Views
from semcorr_ros.methods.semalign3d.building.lift_views import add_mirrored
from semcorr_ros.methods.semalign3d.building.procrustes import generalized_procrustes

SIZE = (480, 640)  # of the images, (h, w)
HIDDEN = -0.2  # cosine to the camera's direction below which a keypoint is taken to be hidden


@dataclass(frozen=True)
class Scene:
    """Annotated images of one class and what is true about them."""

    info: CategoryInfo
    images: list[AnnotatedImage]
    shape: Tensor  # (L, 3) the class's Procrustes mean
    points: Tensor  # (view, L, 3) of every instance, camera frame, RMS radius 1


def scene(
    category: str,
    count: int = 25,
    seed: int = 0,
    noise: float = 0.01,
    missing: float = 0.1,
    turn: float | None = None,
    known: bool = False,
) -> Scene:
    """noise: of an annotation, shares of the radius. missing: share of visible keypoints not annotated.

    turn: degrees to either side from which the object is seen; default: all around, 60 for flat classes.
    """
    generator = torch.Generator().manual_seed(seed)
    module = categories.load(category)
    members = [module.generate(np.random.default_rng([7, seed, i])).keypoints for i in range(count)]
    whole = torch.as_tensor(np.stack(members)).float()
    whole = whole - whole.mean(1, keepdim=True)
    whole = whole / whole.square().sum(-1).mean(1).sqrt()[:, None, None]
    rotation = _rotations(count, turn or (60 if module.INFO.flat else 180), generator)
    turned = whole @ rotation.mT
    visible = torch.nn.functional.normalize(-turned, dim=-1)[..., 2] > HIDDEN
    visible &= torch.rand(visible.shape, generator=generator) >= missing
    focal = max(SIZE) * 1.4 * (0.3 * torch.randn(count, generator=generator)).exp()
    radius = SIZE[0] * (0.15 + 0.15 * torch.rand(count, generator=generator))
    shift = (torch.rand(count, 2, generator=generator) - 0.5) * torch.tensor([100.0, 60.0]) / focal[:, None]
    distance = focal / radius
    points = turned + torch.cat([shift * distance[:, None], distance[:, None]], -1)[:, None]
    slips = (
        noise
        * radius[:, None, None]
        * torch.randn(count, len(module.INFO.keypoint_names), 2, generator=generator)
    )
    images = []
    for i in range(count):
        camera = centered(float(focal[i]), SIZE)
        pixels = project(points[i], camera) + slips[i]
        images.append(_image(category, i, pixels, visible[i], camera if known else None))
    return Scene(module.INFO, images, _mean(whole, module.INFO), points)


def _rotations(count: int, turn: float, generator: torch.Generator) -> Tensor:
    """Cameras nearly upright, from 10 degrees below to 45 above."""
    azimuth = (2 * torch.rand(count, generator=generator) - 1) * math.radians(turn)
    elevation = torch.deg2rad(55 * torch.rand(count, generator=generator) - 10)
    roll = 0.05 * torch.randn(count, generator=generator)
    c, s, ce, se = azimuth.cos(), azimuth.sin(), elevation.cos(), elevation.sin()
    right = torch.stack([-s, c, torch.zeros(count)], -1)
    down = torch.stack([c * se, s * se, -ce], -1)
    ahead = torch.stack([-c * ce, -s * ce, -se], -1)
    cr, sr = roll.cos()[:, None], roll.sin()[:, None]
    return torch.stack([cr * right - sr * down, sr * right + cr * down, ahead], -2)


def _image(
    category: str, number: int, pixels: Tensor, visible: Tensor, camera: Camera | None
) -> AnnotatedImage:
    name = f"{category}_{number:03d}"
    return AnnotatedImage(
        name=name,
        category=category,
        image_path=Path(f"{name}.png"),
        size=SIZE,
        keypoints=torch.where(visible[:, None], pixels, torch.nan),
        visible=visible,
        bbox=(0.0, 0.0, SIZE[1] - 1.0, SIZE[0] - 1.0),
        camera=camera,
    )


def _mean(whole: Tensor, info: CategoryInfo) -> Tensor:
    everything = torch.ones(whole.shape[:2], dtype=torch.bool)
    names = tuple(str(i) for i in range(len(whole)))
    views = Views(whole, everything, torch.zeros(len(whole), dtype=torch.bool), names)
    both = views if info.flip is None else add_mirrored(views, info.flip)
    return generalized_procrustes(both, whole.mean(0), everything[0])[0]
