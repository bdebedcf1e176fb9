"""A small class with known truth, and what a camera would see of it: no renderer, no files."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from semcorr_ros.artifacts import Camera, CategoryInfo, DepthMap, FeatureMap, Observation, Prototypes
from semcorr_ros.geometry import cameras, rotations
from semcorr_ros.methods.semalign3d.artifacts import (
    Alignment,
    BetaFamily,
    BetaStatistics,
    ClassRepresentation,
    DenseCloud,
    View,
)
from semcorr_ros.methods.semalign3d.building.geometry_measures import edge_pair_measures, frame_measures

BACKBONE = "fabricated:1"
SIZE = (96, 128)
MODES = 2
# As uneven as real ones: pixels that are not square, an optical axis that is not in the middle.
CAMERA = Camera(torch.tensor([140.0, 152.0]), torch.tensor([69.0, 44.5]), SIZE)
K = [[140.0, 0.0, 69.0], [0.0, 152.0, 44.5], [0.0, 0.0, 1.0]]  # the same


@dataclass(frozen=True)
class Truth:
    """Where the rendered instance really is."""

    keypoints: Tensor  # (L, 3) camera frame
    rotation: Tensor
    camera: Camera


def surface(count: int, generator: torch.Generator) -> Tensor:
    """Points on a pear-like body that looks different from every side; (count, 3)."""
    p = torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=-1)
    bump = 1 + 0.6 * torch.exp(4 * (p[:, :1] - 1)) + 0.4 * torch.exp(4 * (p[:, 2:] - 1))
    return p * bump * torch.tensor([1.1, 0.6, 0.8])


def describe(points: Tensor) -> Tensor:
    """Features of canonical points (n, 32): smooth, unit norm, blind to left and right."""
    generator = torch.Generator().manual_seed(7)
    frequency = 1.5 * torch.randn(3, 16, generator=generator)
    folded = torch.stack([points[:, 0], points[:, 1].abs(), points[:, 2]], -1)
    phase = folded @ frequency
    return torch.nn.functional.normalize(torch.cat([phase.sin(), phase.cos()], -1), dim=-1)


def appearance(points: Tensor) -> Tensor:
    """Features of the pictured instance (n, 32): like the class at some places, less so at others."""
    generator = torch.Generator().manual_seed(8)
    folded = torch.stack([points[:, 0], points[:, 1].abs(), points[:, 2]], -1)
    own = torch.nn.functional.normalize((folded @ torch.randn(3, 32, generator=generator)).cos(), dim=-1)
    unlike = 0.25 + 0.2 * (2.0 * points[:, :1] + 1.5 * points[:, 2:]).sin()
    return torch.nn.functional.normalize(describe(points) + unlike * own, dim=-1)


def _spread(points: Tensor, count: int) -> Tensor:
    chosen = [0]
    for _ in range(count - 1):
        chosen.append(int(torch.cdist(points, points[chosen]).min(-1).values.argmax()))
    return points[chosen]


def _affine_weights(points: Tensor, keypoints: Tensor) -> Tensor:
    """Smooth weights over keypoints that sum to 1 and reproduce the points exactly."""
    ones = torch.ones(len(keypoints), 1)
    system = torch.cat([keypoints, ones], -1).T
    kernel = torch.softmax(-4 * torch.cdist(points, keypoints), -1)
    target = torch.cat([points, torch.ones(len(points), 1)], -1).T
    return kernel + ((torch.linalg.pinv(system) @ (target - system @ kernel.T)).T)


def _facing(points: Tensor) -> Tensor:
    """Mean direction to the cameras that see a point: half the normal of the nearly convex body."""
    cloud = surface(5000, torch.Generator().manual_seed(2))
    cloud = (cloud - cloud.mean(0)) / cloud.std() * points.std()
    near = cloud[torch.cdist(points, cloud).topk(30, largest=False).indices]
    normal = torch.linalg.svd(near - near.mean(1, keepdim=True)).Vh[:, -1]
    return 0.5 * normal * torch.sign((normal * points).sum(-1, keepdim=True))


def _prototypes(points: Tensor, generator: torch.Generator) -> Prototypes:
    """Some places are recognised reliably and others hardly, as in photographs."""
    features = describe(points)
    mean = (features * appearance(points)).sum(-1)
    return Prototypes(
        features, mean, 0.02 + 0.07 * torch.rand(len(points), generator=generator), _facing(points)
    )


def _betas(shapes: Tensor, measures, indices: Tensor) -> BetaFamily:
    values = measures(shapes, indices).clamp(1e-3, 1 - 1e-3)
    mean, var = values.mean(0), values.var(0).clamp_min(1e-4)
    total = (mean * (1 - mean) / var - 1).clamp(2.5, 400)
    return BetaFamily(indices, (mean * total).clamp_min(1.01), ((1 - mean) * total).clamp_min(1.01))


def make_class(keypoint_count: int = 10, flat: bool = False) -> ClassRepresentation:
    """A class whose statistics follow its own shape modes."""
    generator = torch.Generator().manual_seed(0)
    dense = surface(400, generator)
    keypoints = _spread(dense, keypoint_count)
    center, radius = keypoints.mean(0), (keypoints - keypoints.mean(0)).pow(2).sum(-1).mean().sqrt()
    dense, keypoints = (dense - center) / radius, (keypoints - center) / radius
    modes = torch.stack(
        [0.12 * keypoints * torch.tensor(axis) for axis in ([1.0, -0.5, 0.0], [0.0, 0.0, 1.0])]
    )
    shapes = keypoints + torch.einsum("sm,mld->sld", torch.randn(200, MODES, generator=generator), modes)
    shapes = shapes + 0.03 * torch.randn(shapes.shape, generator=generator)
    quads = torch.stack([torch.randperm(keypoint_count, generator=generator)[:4] for _ in range(300)])
    frames = torch.stack([torch.randperm(keypoint_count, generator=generator)[:4] for _ in range(200)])

    weight = 0.5 + torch.rand(400, generator=generator)
    return ClassRepresentation(
        info=CategoryInfo("pear", tuple(f"k{i}" for i in range(keypoint_count)), None, flat=flat),
        sparse=keypoints,
        annotated=torch.ones(keypoint_count, dtype=torch.bool),
        sparse_prototypes=_prototypes(keypoints, generator),
        dense=DenseCloud(
            _affine_weights(dense, keypoints), weight / weight.sum(), _prototypes(dense, generator)
        ),
        statistics=BetaStatistics(
            _betas(shapes, edge_pair_measures, quads), _betas(shapes, frame_measures, frames)
        ),
        shape_modes=modes,
        view_rotations=rotations.super_fibonacci(12),
        metric_scale=0.05,
        backbone=BACKBONE,
        provenance={},
    )


def look_at(azimuth: float, elevation: float) -> Tensor:
    """camera_from_canonical of a camera that looks at the object, z up."""
    a, e = math.radians(azimuth), math.radians(elevation)
    back = torch.tensor([math.cos(a) * math.cos(e), math.sin(a) * math.cos(e), math.sin(e)])
    right = torch.tensor([-math.sin(a), math.cos(a), 0.0])
    return torch.stack([right, torch.linalg.cross(-back, right), -back])


def observe(
    model: ClassRepresentation, azimuth: float, elevation: float, modes: tuple[float, float] = (0.0, 0.0)
) -> tuple[Observation, Truth]:
    """What a camera sees of an instance 5 cm in radius, half a metre away."""
    camera = CAMERA
    rotation, scale = look_at(azimuth, elevation), 0.05
    translation = torch.tensor([0.02, -0.01, 0.35])
    shape = model.sparse + torch.einsum("m,mld->ld", torch.tensor(modes), model.shape_modes)
    fine = surface(60000, torch.Generator().manual_seed(1))
    reference = surface(400, torch.Generator().manual_seed(0))
    keypoints = _spread(reference, len(model.sparse))
    center, radius = keypoints.mean(0), (keypoints - keypoints.mean(0)).pow(2).sum(-1).mean().sqrt()
    canonical = (fine - center) / radius
    placed = scale * (_affine_weights(canonical, model.sparse) @ shape) @ rotation.T + translation
    depth, owner = _splat(placed, camera)
    features = torch.zeros(*SIZE, 32)
    features[..., 0] = 1.0  # background
    features[owner >= 0] = appearance(canonical)[owner[owner >= 0]]
    seen = Observation(
        image=torch.zeros(*SIZE, 3, dtype=torch.uint8),
        features=FeatureMap(features, SIZE, BACKBONE),
        mask=owner >= 0,
        depth=DepthMap(depth, metric=True),
        camera=camera,
    )
    return seen, Truth(scale * shape @ rotation.T + translation, rotation, camera)


def true_view(model: ClassRepresentation, azimuth: float, elevation: float) -> View:
    """An observation with its true alignment."""
    seen, truth = observe(model, azimuth, elevation)
    found = Alignment(
        keypoints=truth.keypoints[None],
        dense=(model.dense.barycentric @ truth.keypoints)[None],
        rotation=truth.rotation[None],
        translation=truth.keypoints.mean(0)[None],
        scale=torch.tensor([0.05]),
        focal=truth.camera.focal[:1],
        energy=torch.zeros(1),
        energy_by_term={},
        confidence=torch.ones(1),
        camera=truth.camera,
        metric=True,
    )
    return View(seen, found)


def _splat(points: Tensor, camera: Camera) -> tuple[Tensor, Tensor]:
    """Nearest point per pixel: depth (0 = none) and its index (-1 = none)."""
    pixels = cameras.project(points, camera).round().long()
    inside = ((pixels >= 0) & (pixels < torch.tensor([SIZE[1], SIZE[0]]))).all(-1).numpy()
    order = points[:, 2].argsort(descending=True).numpy()
    order = order[inside[order]]
    depth, owner = np.zeros(SIZE, np.float32), np.full(SIZE, -1)
    x, y = pixels.numpy()[order].T
    # Of equal indices NumPy keeps the last one: the nearest point.
    depth[y, x], owner[y, x] = points[:, 2].numpy()[order], order
    return torch.from_numpy(depth), torch.from_numpy(owner)
