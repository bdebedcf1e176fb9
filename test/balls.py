"""A world of balls whose two sides look alike: folded features of known directions, as encoded pictures."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch.nn.functional import normalize

from semcorr_ros.artifacts import AnnotatedImage, CategoryInfo, FeatureMap
from semcorr_ros.encoded_pictures import digest
from semcorr_ros.features._sphere_mapper import to_tokens
from semcorr_ros.methods.spherical.training.views import Picture, ViewConfig, _write_object
from semcorr_ros.storage import write_tensors

CELLS = 20
CHANNELS = 32
BACKBONE = "balls:0"
INFO = CategoryInfo("ball", ("nose", "left", "right"), (0, 2, 1))
POINTS = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, -1.0, 0.0]])  # canonical


def seen_from(azimuth: float) -> tuple[FeatureMap, torch.Tensor, torch.Tensor]:
    """Features, mask and true directions (canonical) of an upright ball that fills a picture of 100 x 100."""
    at = (torch.arange(CELLS) + 0.5) / CELLS * 2 - 1
    y, x = torch.meshgrid(at, at, indexing="ij")
    mask = x**2 + y**2 < 0.9
    depth = (1 - x**2 - y**2).clamp_min(0).sqrt()
    c, s = math.cos(azimuth), math.sin(azimuth)
    # Towards the camera is (c, s, 0), right on the screen is (-s, c, 0), up is z.
    true = depth[..., None] * torch.tensor([c, s, 0.0]) + x[..., None] * torch.tensor([-s, c, 0.0])
    true = true + -y[..., None] * torch.tensor([0.0, 0.0, 1.0])
    folded = torch.stack([true[..., 0], true[..., 1].abs(), true[..., 2]], -1)
    basis = torch.randn(3, CHANNELS, generator=torch.Generator().manual_seed(5))
    waves = torch.cat([(2 * folded @ basis).sin(), (2 * folded @ basis).cos()], -1)[..., :CHANNELS]
    values = torch.where(mask[..., None], waves, torch.ones(CHANNELS))
    return FeatureMap(normalize(values, dim=-1), (100, 100), BACKBONE), mask, true


def picture(folder: Path, azimuth: float, how: ViewConfig, category: int = 0) -> Picture:
    """Write an encoded picture with its viewpoint and visible keypoints."""
    features, mask, _ = seen_from(azimuth)
    name = f"{round(math.degrees(azimuth)):03d}"
    path = folder / "ball" / f"{name}.safetensors"
    tokens = to_tokens(features.values[None], how.side).half()
    pooled = torch.nn.functional.adaptive_avg_pool2d(mask[None, None].float(), how.side)[0] >= 0.5
    write_tensors(path, {"tokens": tokens, "mask": pooled}, {"key": ""})
    _write_object(path, features, mask)
    c, s = math.cos(azimuth), math.sin(azimuth)
    facing = POINTS @ torch.tensor([c, s, 0.0])
    x = 50 + 50 * POINTS @ torch.tensor([-s, c, 0.0]) - 0.5
    points = torch.stack([x, torch.full_like(x, 49.5)], -1)
    sample = AnnotatedImage(name, "ball", Path(), (100, 100), points, facing > 0.3, (0.0, 0.0, 99.0, 99.0))
    return Picture(sample, category, path, digest(path), (c, s, 0.0), mirrors=True)
