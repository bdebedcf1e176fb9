"""Pictures of the fabricated pear class whose colors are its places, so that a backbone can read features
from pixels: what a camera node publishes in the tests of ros/."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from methods.semalign3d.alignment import fabricated
from torch import Tensor

from semcorr_ros.artifacts import Camera, FeatureMap
from semcorr_ros.geometry import cameras

SIZE = fabricated.SIZE
REACH = 4.0  # canonical coordinates are within +-REACH
DISTANCE = 0.35


@dataclass(frozen=True)
class Shot:
    """One picture of the mean pear and what is true about it."""

    image: np.ndarray  # uint8 (H, W, 3)
    depth: np.ndarray  # float32 metres (H, W), 0 = background
    camera: Camera
    keypoints: np.ndarray  # (L, 3) camera frame, metres
    pixels: np.ndarray  # (L, 2)


def shoot(model, azimuth: float, elevation: float = 20.0, scale: float = 0.05) -> Shot:
    camera = fabricated.CAMERA
    rotation = fabricated.look_at(azimuth, elevation)
    translation = torch.tensor([0.01, -0.01, DISTANCE])
    places = _surface(model)
    placed = scale * places @ rotation.T + translation
    depth, owner = _splat(placed, camera)
    image = np.zeros((*SIZE, 3), np.uint8)
    image[owner >= 0] = _colors(places)[owner[owner >= 0]]
    keypoints = scale * model.sparse @ rotation.T + translation
    return Shot(image, depth, camera, keypoints.numpy(), cameras.project(keypoints, camera).numpy())


def enlarged(shot: Shot, factor: int) -> Shot:
    """What a camera with `factor` times as many rows and columns would have taken."""
    center = factor * (shot.camera.principal_point + 0.5) - 0.5
    camera = Camera(factor * shot.camera.focal, center, (factor * SIZE[0], factor * SIZE[1]))
    image, depth = (x.repeat(factor, 0).repeat(factor, 1) for x in (shot.image, shot.depth))
    pixels = cameras.project(torch.from_numpy(shot.keypoints), camera).numpy()
    return Shot(image, depth, camera, shot.keypoints, pixels)


def read_features(image: Tensor) -> FeatureMap:
    """Features of a picture taken by `shoot`, possibly enlarged: one cell per pixel of the original."""
    size = tuple(image.shape[:2])
    stride = max(1, min(size[0] // SIZE[0], size[1] // SIZE[1]))
    image = image[stride // 2 :: stride, stride // 2 :: stride]
    places = (image.float() - 128) / 127 * REACH
    values = fabricated.appearance(places.reshape(-1, 3)).reshape(*image.shape[:2], -1)
    background = (image == 0).all(-1)
    values[background] = torch.eye(values.shape[-1])[0]
    return FeatureMap(values, size, fabricated.BACKBONE)


def _surface(model) -> Tensor:
    """Many points of the surface, canonical."""
    reference = fabricated.surface(400, torch.Generator().manual_seed(0))
    keypoints = fabricated._spread(reference, len(model.sparse))
    center = keypoints.mean(0)
    radius = (keypoints - center).pow(2).sum(-1).mean().sqrt()
    return (fabricated.surface(60000, torch.Generator().manual_seed(1)) - center) / radius


def _colors(places: Tensor) -> np.ndarray:
    return (places / REACH * 127 + 128).round().clamp(1, 255).byte().numpy()


def _splat(points: Tensor, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    h, w = SIZE
    pixels = cameras.project(points, camera).round().long()
    inside = ((pixels >= 0) & (pixels < torch.tensor([w, h]))).all(-1)
    order = torch.where(inside, points[:, 2], -1.0).argsort(descending=True)[: int(inside.sum())].numpy()
    depth, owner = np.zeros(SIZE, np.float32), np.full(SIZE, -1)
    x, y = pixels[order].numpy().T
    # Of equal indices NumPy keeps the last one: the nearest point.
    depth[y, x], owner[y, x] = points[order, 2].numpy(), order
    return depth, owner


def side_by_side(model: ClassRepresentation, left: float, right: float) -> Shot:
    """Two pears in one picture. The right one is seen as if it stood before the camera: near enough."""
    one, other = shoot(model, left), shoot(model, right)
    height, width = SIZE
    camera = Camera(one.camera.focal, one.camera.principal_point, (height, 2 * width))
    image = np.concatenate([one.image, other.image], 1)
    depth = np.concatenate([one.depth, other.depth], 1)
    pixels = np.stack([one.pixels, other.pixels + np.array([width, 0])])
    return Shot(image, depth, camera, one.keypoints, pixels)


def box(shot: Shot, pear: int) -> tuple[int, int, int, int]:
    """x, y, width, height of one of two pears."""
    (x0, y0), (x1, y1) = shot.pixels[pear].min(0), shot.pixels[pear].max(0)
    return int(x0), int(y0), int(x1 - x0), int(y1 - y0)
