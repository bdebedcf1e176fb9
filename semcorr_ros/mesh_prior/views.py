"""Shaded pictures of a mesh from known azimuths, for networks that look at it and for reports."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from semcorr_ros.artifacts import Camera
from semcorr_ros.geometry.cameras import centered
from semcorr_ros.mesh_prior.coverage import draw

COUNT = 8  # azimuths, evenly around the mesh (Geometry Matters, 3.1)
ELEVATION_DEG = 20.0
DISTANCE = 2.5  # in diagonals of the mesh
FILL = 0.85  # of the picture's side
AMBIENT, BACKGROUND = 0.25, 255
LIGHT = (-0.35, -0.6, -0.72)  # towards it, camera frame: from above, left of the camera


@dataclass(frozen=True)
class MeshView:
    """A mesh seen from `azimuth_deg` in its own frame: 0 from +x, 90 from +y."""

    name: str
    azimuth_deg: float
    image: UInt8[Tensor, "side side 3"]  # RGB, white background
    mask: Bool[Tensor, "side side"]


def views_of(
    name: str, vertices: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"], side: int, count: int = COUNT
) -> list[MeshView]:
    """Render a mesh (object frame, diagonal 1) from `count` azimuths; each fills its picture alike."""
    found = []
    for k in range(count):
        azimuth = 360.0 * k / count
        placed = vertices @ looking(azimuth, ELEVATION_DEG).mT + torch.tensor([0.0, 0.0, DISTANCE])
        image, mask = shade(placed, faces, _framed(placed, side))
        found.append(MeshView(name, azimuth, image, mask))
    return found


def looking(azimuth_deg: float, elevation_deg: float) -> Float[Tensor, "3 3"]:
    """Compute camera_from_object of an upright camera that looks at the origin."""
    azimuth, elevation = math.radians(azimuth_deg), math.radians(elevation_deg)
    forward = -torch.tensor(
        [
            math.cos(elevation) * math.cos(azimuth),
            math.cos(elevation) * math.sin(azimuth),
            math.sin(elevation),
        ]
    )
    right = torch.tensor([-math.sin(azimuth), math.cos(azimuth), 0.0])
    return torch.stack([right, torch.linalg.cross(forward, right), forward])


def shade(
    vertices: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"], camera: Camera
) -> tuple[UInt8[Tensor, "h w 3"], Bool[Tensor, "h w"]]:
    """Draw a gray mesh (camera frame) in one light; both sides of its triangles are lit."""
    drawn = draw(vertices[None], faces, camera)
    face, mask = drawn.face[0], drawn.face[0] >= 0
    a, b, c = vertices[faces].unbind(1)
    normal = torch.nn.functional.normalize(torch.linalg.cross(b - a, c - a), dim=-1)
    normal = torch.where((normal * a).sum(-1, keepdim=True) > 0, -normal, normal)
    light = torch.nn.functional.normalize(torch.tensor(LIGHT), dim=0)
    lit = AMBIENT + (1 - AMBIENT) * (normal @ light).clamp_min(0)
    gray = torch.full(face.shape, float(BACKGROUND))
    gray[mask] = 230 * lit[face[mask]]
    return gray.round().to(torch.uint8)[..., None].expand(-1, -1, 3).contiguous(), mask


def _framed(points: Float[Tensor, "V 3"], side: int) -> Camera:
    """Make the camera that shows points in the middle, FILL of the picture large."""
    flat = points[:, :2] / points[:, 2:]
    low, high = flat.amin(0), flat.amax(0)
    focal = FILL * side / float((high - low).max())
    camera = centered(focal, (side, side))
    return Camera(camera.focal, camera.principal_point - focal * (low + high) / 2, (side, side))
