"""Pixels lifted onto a posed mesh: the first triangle that the ray through each meets (trimesh, with Embree
where it is installed)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import trimesh
from jaxtyping import Float, Int
from torch import Tensor

from semcorr_ros.mesh_prior.artifacts import PosedMesh
from semcorr_ros.mesh_prior.fine_surface import Surface


@dataclass(frozen=True)
class Lifted:
    """Where rays meet a surface."""

    face: Int[np.ndarray, "ray"]  # row of Surface.faces; -1: the ray meets nothing
    weights: Float[np.ndarray, "ray 3"]  # barycentric
    vertex: Int[np.ndarray, "ray"]  # the corner with the largest weight; -1 where nothing is met

    @property
    def met(self) -> np.ndarray:
        """Tell which rays meet the surface."""
        return self.face >= 0


def lift(mesh: PosedMesh, surface: Surface, pixels: Float[Tensor, "ray 2"]) -> Lifted:
    """Cast a ray through each pixel (x, y) of the whole image. surface: of this mesh, in its object frame."""
    origin, directions = _rays(mesh, pixels)
    body = trimesh.Trimesh(surface.vertices, surface.faces, process=False)
    face = np.full(len(pixels), -1, np.int64)
    weights = np.zeros((len(pixels), 3))
    places, rays, hit = body.ray.intersects_location(
        np.broadcast_to(origin, directions.shape), directions, multiple_hits=False
    )[:3]
    face[rays] = hit
    if len(rays):
        weights[rays] = trimesh.triangles.points_to_barycentric(body.triangles[hit], places, method="cross")
    best = surface.faces[np.maximum(face, 0), weights.argmax(1)]
    return Lifted(face, weights.clip(0, 1), np.where(face >= 0, best, -1))


def interpolated(
    values: Float[np.ndarray, "V channel"], surface: Surface, lifted: Lifted
) -> Float[np.ndarray, "ray channel"]:
    """Interpolate values of the vertices at the places that are met; 0 where nothing is."""
    corners = values[surface.faces[np.maximum(lifted.face, 0)]]
    found: Float[np.ndarray, "ray channel"] = (lifted.weights[:, :, None] * corners).sum(1)
    return np.where(lifted.met[:, None], found, 0.0)


def _rays(mesh: PosedMesh, pixels: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return the camera's place and unit directions, object frame."""
    rotation = mesh.rotation.double()
    origin = -rotation.mT @ mesh.translation.double() / mesh.scale
    focal, center = mesh.camera.focal.double(), mesh.camera.principal_point.double()
    inside = torch.cat(
        [(pixels.double() - center) / focal, torch.ones(len(pixels), 1, dtype=torch.double)], -1
    )
    directions = torch.nn.functional.normalize(inside @ rotation, dim=-1)
    return origin.numpy(), directions.numpy()
