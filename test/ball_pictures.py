"""Balls whose two sides look alike, as encoded pictures of an adapter."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import balls
import torch

from semcorr_ros.adapter.config import Material
from semcorr_ros.adapter.labels import Matches
from semcorr_ros.adapter.maps import Picture
from semcorr_ros.artifacts import AnnotatedImage
from semcorr_ros.encoded_pictures import digest
from semcorr_ros.storage import write_tensors


def picture(folder: Path, name: str, azimuth: float) -> tuple[Picture, torch.Tensor]:
    """A picture of one map, and the direction (canonical) of each cell, NaN off the ball."""
    features, mask, true = balls.seen_from(azimuth)
    path = folder / f"{name}.safetensors"
    header = {"backbone": balls.BACKBONE, "image_size": [100, 100], "windows": {"plain.0": []}}
    header |= {"key": "", "side": 95.0, "crops": 1, "mirrors": False}
    write_tensors(path, {"plain.0": features.values.half()}, header)
    points = torch.zeros(0, 2)
    sample = AnnotatedImage(
        name, "ball", Path(), (100, 100), points, points[:, 0] > 0, (0.0, 0.0, 99.0, 99.0)
    )
    directions = torch.where(mask[..., None], true, torch.nan)
    return Picture(sample, path, digest(path), 95.0, 1, False), directions


def material(folder: Path, azimuths: list[float], held_out: int = 2) -> Material:
    """Every picture with the next two; the middle ones, which see both sides, are held out."""
    made = [picture(folder, f"{i:02d}", azimuth) for i, azimuth in enumerate(azimuths)]
    pictures = [one for one, _ in made]
    count = len(made)
    pairs = [(i, (i + step) % count) for i in range(count) for step in (1, 2)]
    found = [matched(i, made[i][1], j, made[j][1]) for i, j in pairs]
    found = [one for one in found if len(one)]
    apart = set(range((count - held_out) // 2, (count + held_out) // 2))
    kept = [one for one in found if not {one.source, one.target} & apart]
    return Material(pictures, kept, [one for one in found if {one.source, one.target} & apart])


def matched(i: int, here: torch.Tensor, j: int, there: torch.Tensor) -> Matches:
    """Every third cell of the ball that the other picture shows."""
    at = (torch.arange(balls.CELLS) + 0.5) / balls.CELLS * 100
    pixels = torch.stack(torch.meshgrid(at, at, indexing="xy"), -1).reshape(-1, 2)
    source, target = here.reshape(-1, 3), there.reshape(-1, 3)
    known = source.isfinite().all(1).nonzero()[::3, 0]
    away = (source[known, None] - target.nan_to_num(9.0)).norm(dim=-1)
    near, cell = away.min(1)
    kept = near < 0.08
    return Matches(i, j, pixels[known[kept]], pixels[cell[kept]])


def turns(count: int) -> list[float]:
    """Views from around the nose."""
    return torch.linspace(-0.3 * math.pi, 0.3 * math.pi, count).tolist()


def without(found: Material, count: int) -> Material:
    """The first `count` pairs."""
    return replace(found, matches=found.matches[:count])
