"""What the renderer knows of its pictures: the true mesh and pose, and where a place belongs elsewhere.

A place belongs to the part of the same name (the nearest of several, such as wheels, in shares of the box of
the object), at the same place in that part's box.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import trimesh
from jaxtyping import Bool, Float, Int
from torch import Tensor

from semcorr_lab.synthetic.dataset import SPLITS, DatasetConfig, Job
from semcorr_lab.synthetic.instance import Instance
from semcorr_lab.synthetic.raycast import RayCaster
from semcorr_lab.synthetic.source import ProceduralSource
from semcorr_ros.artifacts import Camera
from semcorr_ros.geometry.cameras import from_matrix
from semcorr_ros.mesh_prior.artifacts import PosedMesh
from semcorr_ros.storage import read_json

SAME_PART = 0.3  # of the box's diagonal: how far parts of one name may lie apart
RIGHT = 0.1  # of the target's diagonal: a match is right within it


@dataclass(frozen=True)
class Truth:
    """The object of one picture."""

    instance: Instance
    camera: Camera
    camera_from_object: Float[np.ndarray, "4 4"]  # metres

    @property
    def mesh(self) -> trimesh.Trimesh:
        """Join all parts, object frame, metres."""
        return trimesh.util.concatenate([part.mesh for part in self.instance.parts])

    def posed(self, name: str, category: str) -> PosedMesh:
        """Return what a perfect provider would give: scaled to a box of diagonal 1."""
        low, high = self.instance.bounds
        middle, diagonal = (low + high) / 2, float(np.linalg.norm(high - low))
        rotation, translation = self.camera_from_object[:3, :3], self.camera_from_object[:3, 3]
        mesh = self.mesh
        return PosedMesh(
            name,
            category,
            torch.from_numpy(((mesh.vertices - middle) / diagonal).astype(np.float32)),
            torch.from_numpy(np.array(mesh.faces, np.int64)),
            torch.from_numpy(rotation.astype(np.float32)),
            torch.from_numpy((rotation @ middle + translation).astype(np.float32)),
            float(np.log(diagonal)),
            self.camera,
            metric=True,
            provenance={"provider": "truth"},
        )


def read_truth(
    root: Path, source: ProceduralSource, config: DatasetConfig, job: Job, size: tuple[int, int]
) -> Truth:
    """Make the object of a picture again, and read its pose."""
    key = (zlib.crc32(job.category.encode()), SPLITS.index(job.split), job.index)
    rng = np.random.default_rng(np.random.SeedSequence(config.seed, spawn_key=key))
    instance = source.instance(job.category, job.split, job.index, rng)
    content = read_json(root / "Cameras" / job.category / f"{job.stem}.json")
    pose = np.array(content["camera_from_canonical"])
    return Truth(instance, from_matrix(torch.tensor(content["K"]), size), pose)


@dataclass(frozen=True)
class Places:
    """Where pixels lie on an object."""

    part: Int[np.ndarray, "pixel"]  # row of instance.parts; -1: off the object
    point: Float[np.ndarray, "pixel 3"]  # object frame, metres


def places(truth: Truth, pixels: Float[Tensor, "pixel 2"]) -> Places:
    """Look up the first part that the ray through each pixel meets."""
    pose = truth.camera_from_object
    flat = (pixels.double().numpy() - truth.camera.principal_point.numpy()) / truth.camera.focal.numpy()
    rays = np.concatenate([flat, np.ones((len(flat), 1))], 1) @ pose[:3, :3]
    eye = -pose[:3, :3].T @ pose[:3, 3]
    caster = RayCaster([part.mesh for part in truth.instance.parts])
    hits = caster.first_hits(np.broadcast_to(eye, rays.shape), rays)
    part = np.where(hits.face >= 0, caster.body[np.maximum(hits.face, 0)], -1)
    return Places(part, eye + rays * np.where(hits.face >= 0, hits.distance, 0.0)[:, None])


def carried(found: Places, source: Instance, target: Instance) -> Float[np.ndarray, "pixel 3"]:
    """Carry places over to another object, its frame, metres; NaN where it has no such part."""
    other = _partners(source, target)
    moved = np.full(found.point.shape, np.nan)
    for i, j in other.items():
        own = found.part == i
        (low, high), (to_low, to_high) = _box(source, i), _box(target, j)
        share = (found.point[own] - low) / np.maximum(high - low, 1e-6)
        moved[own] = to_low + share * (to_high - to_low)
    return moved


def right(
    there: Places, wanted: Float[np.ndarray, "pixel 3"], target: Instance, tolerance: float = RIGHT
) -> Bool[np.ndarray, "pixel"]:
    """Tell which places of the target are where they should be."""
    away = np.linalg.norm(there.point - wanted, axis=1)
    return (there.part >= 0) & np.isfinite(away) & (away < tolerance * target.size)


def visible(
    wanted: Float[np.ndarray, "pixel 3"], truth: Truth, mask: Bool[Tensor, "height width"]
) -> np.ndarray:
    """Tell which places of an object its picture shows."""
    pose = truth.camera_from_object
    at = np.nan_to_num(wanted, nan=0.0) @ pose[:3, :3].T + pose[:3, 3]
    focal, center = truth.camera.focal.numpy(), truth.camera.principal_point.numpy()
    pixel = at[:, :2] / np.maximum(at[:, 2:], 1e-6) * focal + center
    height, width = mask.shape
    x, y = pixel.round().astype(int).T
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height) & np.isfinite(wanted).all(1)
    shown = mask.numpy()[y.clip(0, height - 1), x.clip(0, width - 1)]
    seen = places(truth, torch.from_numpy(pixel).float())
    near = np.linalg.norm(seen.point - wanted, axis=1) < RIGHT / 2 * truth.instance.size
    return inside & shown & (seen.part >= 0) & near


def _box(instance: Instance, part: int) -> tuple[np.ndarray, np.ndarray]:
    vertices = instance.parts[part].mesh.vertices
    return vertices.min(0), vertices.max(0)


def _partners(source: Instance, target: Instance) -> dict[int, int]:
    """Pair parts of the same name that lie at the same place of their objects."""
    found = {}
    for i, part in enumerate(source.parts):
        same = [j for j, other in enumerate(target.parts) if other.name == part.name]
        if same:
            away = [float(np.linalg.norm(_center(source, i) - _center(target, j))) for j in same]
            best = int(np.argmin(away))
            if away[best] < SAME_PART:
                found[i] = same[best]
    return found


def _center(instance: Instance, part: int) -> np.ndarray:
    """Return the middle of a part, in shares of the object's box from its middle."""
    low, high = instance.bounds
    a, b = _box(instance, part)
    share: np.ndarray = ((a + b) / 2 - (low + high) / 2) / (high - low)
    return share
