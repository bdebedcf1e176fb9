"""Triangles with an Embree acceleration structure: first hits, distances, occlusion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import trimesh
from embreex import rtcore_scene
from embreex.mesh_construction import TriangleMesh
from jaxtyping import Bool, Float, Int
from scipy import sparse

_CREASE_COS = 0.75  # edges sharper than about 41 degrees are shaded hard
_NO_HIT = -1
_CHUNK = 1 << 20  # rays per Embree call


@dataclass(frozen=True)
class Hits:
    """First hit of each ray; fields of rays that hit nothing are meaningless."""

    face: Int[np.ndarray, "ray"]  # -1 = nothing hit
    distance: Float[np.ndarray, "ray"]  # in lengths of the ray's direction
    bary: Float[np.ndarray, "ray 2"]  # weights of the second and third corner


class RayCaster:
    """Immutable triangles of several bodies in one frame, ready for ray queries."""

    def __init__(self, meshes: Sequence[trimesh.Trimesh]):
        self.triangles = np.concatenate([mesh.triangles for mesh in meshes]).astype(np.float32)
        counts = [len(mesh.faces) for mesh in meshes]
        self.body = np.repeat(np.arange(len(meshes)), counts)
        self.first_face = np.cumsum([0, *counts[:-1]])  # of each body
        self.corner_normals = np.concatenate([_corner_normals(mesh) for mesh in meshes])
        corners = np.ascontiguousarray(self.triangles.reshape(-1, 3))
        self._scene = rtcore_scene.EmbreeScene()
        faces = np.arange(len(corners), dtype=np.int32).reshape(-1, 3)
        TriangleMesh(self._scene, corners, faces)

    def first_hits(self, origins: Float[np.ndarray, "ray 3"], directions: Float[np.ndarray, "ray 3"]) -> Hits:
        """Find the nearest hit of each ray, both sides of a triangle count."""
        found = [self._scene.run(o, d, output=True) for o, d in _chunks(origins, directions)]
        face = np.concatenate([f["primID"] for f in found])
        bary = np.concatenate([np.stack([f["u"], f["v"]], 1) for f in found])
        return Hits(face, np.concatenate([f["tfar"] for f in found]), bary)

    def blocked(
        self, origins: Float[np.ndarray, "ray 3"], directions: Float[np.ndarray, "ray 3"]
    ) -> Bool[np.ndarray, "ray"]:
        """Tell whether anything lies along the ray, at any distance."""
        found = [self._scene.run(o, d, query="OCCLUDED") for o, d in _chunks(origins, directions)]
        return np.concatenate(found) != _NO_HIT

    def normals(self, hits: Hits) -> Float[np.ndarray, "ray 3"]:
        """Compute unit shading normals, interpolated over smooth surfaces; every ray must have hit."""
        n = self.corner_normals[hits.face]  # (R, 3, 3)
        u, v = hits.bary[:, :1], hits.bary[:, 1:]
        blended = n[:, 0] * (1 - u - v) + n[:, 1] * u + n[:, 2] * v
        return blended / np.maximum(np.linalg.norm(blended, axis=1, keepdims=True), 1e-9)


def _chunks(origins: np.ndarray, directions: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    o = np.ascontiguousarray(origins, np.float32)
    d = np.ascontiguousarray(directions, np.float32)
    return [(o[i : i + _CHUNK], d[i : i + _CHUNK]) for i in range(0, max(len(o), 1), _CHUNK)]


def _corner_normals(mesh: trimesh.Trimesh) -> Float[np.ndarray, "face 3 3"]:
    """Average, per corner, the normals of the faces around it that meet this face at a flat angle."""
    triangles = mesh.triangles
    area = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    face = area / np.maximum(np.linalg.norm(area, axis=1, keepdims=True), 1e-12)
    corner = np.arange(3 * len(area))
    at_vertex = sparse.csr_matrix((np.ones(len(corner)), (corner, np.ravel(mesh.faces))))
    own, other = (at_vertex @ at_vertex.T).nonzero()
    smooth = np.einsum("px,px->p", face[own // 3], face[other // 3]) > _CREASE_COS
    own, other = own[smooth], other[smooth]
    total = np.stack([np.bincount(own, area[other // 3, axis], len(corner)) for axis in range(3)], 1)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    # A degenerate face has no normal, and is never hit.
    normals = np.where(length > 0, total / np.maximum(length, 1e-30), np.repeat(face, 3, 0))
    return normals.reshape(-1, 3, 3).astype(np.float32)
