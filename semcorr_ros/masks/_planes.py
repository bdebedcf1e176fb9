"""Planes in measured depth: tables, floors, walls."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.artifacts import Camera
from semcorr_ros.geometry import cameras

HYPOTHESES, SAMPLES = 200, 2000  # of RANSAC
NOISE = 0.006  # of a sensor, as a share of the depth


@dataclass(frozen=True)
class Plane:
    """Points p with normal @ p = offset; the camera is on the side that the normal points to."""

    normal: Float[Tensor, "3"]
    offset: Float[Tensor, ""]

    def height(self, points: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch"]:
        """Measure signed distances, positive on the camera's side."""
        return points @ self.normal - self.offset


def points_of(depth: Float[Tensor, "height width"], camera: Camera) -> Float[Tensor, "height width 3"]:
    """Unproject every pixel; depth 0 stays at the camera."""
    h, w = depth.shape
    pixels = torch.stack(torch.meshgrid(torch.arange(w), torch.arange(h), indexing="xy"), -1).float()
    return cameras.unproject(pixels, depth, camera)


def largest_plane(
    points: Float[Tensor, "point 3"], tolerance: Float[Tensor, "point"], generator: torch.Generator
) -> Plane | None:
    """Fit the plane with most points within their tolerance (RANSAC)."""
    if len(points) < 3:
        return None

    def draw(*shape: int) -> Tensor:
        return torch.randint(len(points), shape, generator=generator, device=generator.device).cpu()

    voters = draw(SAMPLES)
    a, b, c = points[draw(3, HYPOTHESES)]
    normals = torch.nn.functional.normalize(torch.linalg.cross(b - a, c - a), dim=-1)
    offsets = (normals * a).sum(-1)
    distance = (points[voters] @ normals.T - offsets).abs()
    best = (distance < tolerance[voters, None]).sum(0).argmax()
    support = points[voters][distance[:, best] < tolerance[voters]]
    if len(support) < 3:
        return None
    center = support.mean(0)
    normal = torch.linalg.svd(support - center, full_matrices=False).Vh[-1]
    normal = -normal if normal @ center > 0 else normal
    return Plane(normal, normal @ center)
