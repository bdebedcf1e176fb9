"""Fabricated classes and images with known truth: ellipsoid beasts seen by known cameras.

A beast is a union of ellipsoids, so that depth, mask, visibility and "the same place on another
beast" are exact and cheap. Canonical frame of the mean beast: x front, y left, z up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from semcorr_ros.artifacts import AnnotatedImage, Camera, CategoryInfo, DepthMap, FeatureMap
from semcorr_ros.geometry.grid import cell_centers
from semcorr_ros.methods.semalign3d.building.evidence import LazySample, Sample

SIDES = (1.0, -1.0)
CENTERS = (
    [[0.0, 0, 0], [0.62, 0, 0.25]]
    + [[x, 0.2 * s, -0.4] for x in (0.4, -0.4) for s in SIDES]
    + [[0.6, 0.12 * s, 0.45] for s in SIDES]
)
RADII = [[0.6, 0.3, 0.25], [0.2, 0.15, 0.18], *[[0.09, 0.09, 0.25]] * 4, *[[0.06, 0.05, 0.14]] * 2]
# name, part, direction on its ellipsoid
KEYPOINTS = (
    ("nose", 1, (1.0, 0, 0)),
    ("tail", 0, (-1.0, 0, 0)),
    ("back", 0, (0.0, 0, 1)),
    ("left front foot", 2, (0.0, 0, -1)),
    ("right front foot", 3, (0.0, 0, -1)),
    ("left rear foot", 4, (0.0, 0, -1)),
    ("right rear foot", 5, (0.0, 0, -1)),
    ("left ear", 6, (0.0, 0, 1)),
    ("right ear", 7, (0.0, 0, 1)),
    ("left flank", 0, (0.0, 1, 0)),
    ("right flank", 0, (0.0, -1, 0)),
)
FLIP = (0, 1, 2, 4, 3, 6, 5, 8, 7, 10, 9)
EDGES = ((0, 2), (2, 1), (3, 9), (5, 9), (4, 10), (6, 10), (0, 7), (0, 8))
BEAST = CategoryInfo("beast", tuple(name for name, _, _ in KEYPOINTS), FLIP, edges=EDGES)
BACKBONE = "fabricated:1"


@dataclass(frozen=True)
class Beast:
    """One instance, in its own frame: ellipsoids with axis-aligned radii."""

    centers: Tensor  # (part, 3)
    radii: Tensor  # (part, 3)


@dataclass(frozen=True)
class Picture:
    """A view of a beast with everything that is true about it."""

    sample: Sample
    camera: Camera
    rotation: Tensor  # (3, 3) camera_from_canonical
    keypoints: Tensor  # (L, 3) of this instance, camera frame, metres
    places: Tensor  # (h, w, 3) the same place on the mean beast, NaN off the object


def mean_beast() -> Beast:
    return Beast(torch.tensor(CENTERS), torch.tensor(RADII))


def beast(generator: torch.Generator, variation: float = 0.1) -> Beast:
    """An instance: proportions, leg length, head size and ear length vary, the sides stay equal."""
    mean = mean_beast()
    stretch = (variation * torch.randn(3, generator=generator)).exp()
    legs, head, ears = (variation * torch.randn(3, generator=generator)).exp()
    centers, radii = mean.centers * stretch, mean.radii * stretch
    radii[2:6, 2] *= legs
    centers[2:6, 2] *= legs
    radii[1] *= head
    radii[6:, 2] *= ears
    return Beast(centers, radii)


def keypoints_of(instance: Beast) -> Tensor:
    parts = torch.tensor([part for _, part, _ in KEYPOINTS])
    directions = torch.tensor([direction for _, _, direction in KEYPOINTS])
    return instance.centers[parts] + instance.radii[parts] * directions


def look_at(azimuth: float, elevation: float) -> Tensor:
    """Rotation camera_from_canonical of an upright camera that looks at the origin (radians)."""
    outward = torch.tensor(
        [
            math.cos(azimuth) * math.cos(elevation),
            math.sin(azimuth) * math.cos(elevation),
            math.sin(elevation),
        ]
    )
    right = torch.nn.functional.normalize(torch.linalg.cross(torch.tensor([0.0, 0, 1]), outward), dim=0)
    down = torch.linalg.cross(-outward, right)
    return torch.stack([right, down, -outward])


def picture(
    generator: torch.Generator, name: str, variation: float = 0.1, known_camera: bool = True
) -> Picture:
    """A random beast from a random side, 120 x 160 pixels, metric depth of an object about 2 m long."""
    uniform = torch.rand(4, generator=generator)
    rotation = look_at(2 * math.pi * float(uniform[0]), math.radians(-10 + 60 * float(uniform[1])))
    focal = 160 * (0.8 + 1.6 * float(uniform[2]))
    # A camera that has to be guessed is taken to be even.
    camera = Camera(torch.tensor([focal, focal]), torch.tensor([79.5, 59.5]), (120, 160))
    if known_camera:
        camera = Camera(torch.tensor([focal, 1.08 * focal]), torch.tensor([86.0, 55.0]), (120, 160))
    distance = 2.6 * focal / 160 * (1 + 0.3 * float(uniform[3]))
    instance = beast(generator, variation)
    middle = (torch.tensor([79.5, 59.5]) - camera.principal_point) / camera.focal
    position = distance * torch.cat([middle, torch.ones(1)])
    depth, places = raycast(instance, rotation, position, camera)
    points = keypoints_of(instance) @ rotation.T + position
    pixels = points[:, :2] / points[:, 2:] * camera.focal + camera.principal_point
    visible = _visible(points, pixels, depth)
    annotated = AnnotatedImage(
        name=name,
        category="beast",
        image_path=Path(f"{name}.jpg"),
        size=camera.size,
        keypoints=torch.where(visible[:, None], pixels, torch.nan),
        visible=visible,
        bbox=(0.0, 0.0, 159.0, 119.0),
        camera=camera if known_camera else None,
    )
    features = features_of(places)
    # The side on which a feature lies is not in it, so a mirrored image has mirrored features.
    mirrored = FeatureMap(features.values.flip(1), features.image_size, BACKBONE)
    sample = Sample(annotated, features, DepthMap(depth, metric=True), depth > 0, mirrored)
    return Picture(sample, camera, rotation, points, places)


def pictures(count: int, seed: int = 0, variation: float = 0.1, known_camera: bool = True) -> list[Picture]:
    generator = torch.Generator().manual_seed(seed)
    return [picture(generator, f"beast_{i:03d}", variation, known_camera) for i in range(count)]


def lazy(samples: list[Sample]) -> list[LazySample]:
    return [LazySample(sample.annotated.name, lambda s=sample: s) for sample in samples]


def raycast(instance: Beast, rotation: Tensor, position: Tensor, camera: Camera) -> tuple[Tensor, Tensor]:
    """Depth (h, w), 0 off the object, and the corresponding place on the mean beast (h, w, 3)."""
    h, w = camera.size
    pixels = torch.stack(torch.meshgrid(torch.arange(w), torch.arange(h), indexing="xy"), -1).float()
    rays = torch.cat([(pixels - camera.principal_point) / camera.focal, torch.ones(h, w, 1)], -1) @ rotation
    eye = -rotation.T @ position
    direction = rays[:, :, None] / instance.radii
    start = (eye - instance.centers) / instance.radii
    a, b, c = (direction**2).sum(-1), (direction * start).sum(-1), (start**2).sum(-1) - 1
    discriminant = b**2 - a * c
    hit = torch.where(discriminant > 0, (-b - discriminant.clamp_min(0).sqrt()) / a, torch.inf)
    depth, part = hit.min(-1)
    depth = torch.where(torch.isfinite(depth), depth, 0.0)
    mean = mean_beast()
    local = (rays * depth[..., None] + eye - instance.centers[part]) / instance.radii[part]
    places = mean.centers[part] + mean.radii[part] * local
    return depth, torch.where(depth[..., None] > 0, places, torch.nan)


def features_of(places: Tensor, channels: int = 32) -> FeatureMap:
    """Smooth random features of the place on the object on a 30 x 40 grid, blind to left and right."""
    generator = torch.Generator().manual_seed(7)
    waves, phases = (
        2.5 * torch.randn(3, channels, generator=generator),
        6.3 * torch.rand(channels, generator=generator),
    )
    h, w, _ = places.shape
    x, y = cell_centers((30, 40), (h, w)).long().unbind(-1)
    blind = torch.stack([places[y, x, 0], places[y, x, 1].abs(), places[y, x, 2]], -1)
    background = torch.randn(30, 40, channels, generator=generator)
    values = torch.where(
        torch.isnan(blind[..., :1]), background, torch.cos(blind.nan_to_num() @ waves + phases)
    )
    return FeatureMap(torch.nn.functional.normalize(values, dim=-1), (h, w), BACKBONE)


def _visible(points: Tensor, pixels: Tensor, depth: Tensor) -> Tensor:
    h, w = depth.shape
    column, row = pixels.round().long().unbind(-1)
    inside = (column >= 1) & (row >= 1) & (column < w - 1) & (row < h - 1)
    visible = torch.zeros(len(points), dtype=torch.bool)
    for i in inside.nonzero()[:, 0].tolist():
        window = depth[row[i] - 1 : row[i] + 2, column[i] - 1 : column[i] + 2]
        visible[i] = bool(((window > 0) & ((window - points[i, 2]).abs() < 0.05)).any())
    return visible
