"""Small meshes before a camera, as the stages hand them on."""

from __future__ import annotations

import numpy as np
import torch
import trimesh

from semcorr_ros.artifacts import FeatureMap
from semcorr_ros.geometry import cameras, rotations
from semcorr_ros.mesh_prior.artifacts import PosedMesh

SIZE = (96, 128)  # (h, w)


def posed(mesh: trimesh.Trimesh, name: str = "one", azimuth: float = 0.6) -> PosedMesh:
    """Scaled to a box of diagonal 1, two diagonals away, seen from a little above."""
    vertices = np.asarray(mesh.vertices, np.float64)
    low, high = vertices.min(0), vertices.max(0)
    vertices = (vertices - (low + high) / 2) / np.linalg.norm(high - low)
    upright = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]])  # looks along -x
    turn = rotations.from_vector(torch.tensor([0.0, 0.0, azimuth]))
    nod = rotations.from_vector(torch.tensor([0.3, 0.0, 0.0]))
    return PosedMesh(
        name,
        "thing",
        torch.from_numpy(vertices).float(),
        torch.from_numpy(np.array(mesh.faces, np.int64)),
        nod @ upright @ turn,
        torch.tensor([0.05, -0.02, 2.0]),
        0.0,
        cameras.centered(150.0, SIZE),
    )


def wedge(stretch: float = 1.0) -> trimesh.Trimesh:
    """A slab with a post at its front left corner: left is not right, and front not back. In two pieces."""
    slab = trimesh.creation.box(extents=(3.0 * stretch, 2.0, 0.5))
    post = trimesh.creation.box(extents=(0.5, 0.5, 1.0))
    post.apply_translation((1.2 * stretch, 0.7, 0.76))
    return trimesh.util.concatenate([slab, post])


def silhouette(mesh: PosedMesh) -> torch.Tensor:
    """Pixels whose ray meets the mesh."""
    from semcorr_ros.mesh_prior.fine_surface import surface_of
    from semcorr_ros.mesh_prior.raycasting import lift

    y, x = torch.meshgrid(torch.arange(SIZE[0]), torch.arange(SIZE[1]), indexing="ij")
    pixels = torch.stack([x, y], -1).reshape(-1, 2).float()
    return torch.from_numpy(lift(mesh, surface_of(mesh)[0], pixels).met).reshape(SIZE)


def flat_features(channels: int = 8) -> FeatureMap:
    """The same feature everywhere: what is told apart is told by the mesh."""
    values = torch.zeros(24, 32, channels)
    values[..., 0] = 1.0
    return FeatureMap(values, SIZE, "flat:0")


def noisy_features(seed: float) -> FeatureMap:
    """Features that say nothing: what is matched by them alone is wrong."""
    draws = torch.Generator().manual_seed(round(1000 * seed))
    values = torch.nn.functional.normalize(torch.randn(24, 32, 16, generator=draws), dim=-1)
    return FeatureMap(values, SIZE, "noise:0")
