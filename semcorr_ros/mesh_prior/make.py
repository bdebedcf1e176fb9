"""What the first three stages do for one image, and how its file is known to be that of now."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor

from semcorr_ros.artifacts import AnnotatedImage
from semcorr_ros.files.mask import read_mask
from semcorr_ros.geometry.cameras import centered
from semcorr_ros.mesh_prior.artifacts import PosedMesh
from semcorr_ros.mesh_prior.azimuth import Azimuth, AzimuthEstimator
from semcorr_ros.mesh_prior.canonicalize import canonicalized, vote
from semcorr_ros.mesh_prior.mesh_file import digest, read_mesh, write_mesh
from semcorr_ros.mesh_prior.reconstruction import MeshProvider
from semcorr_ros.mesh_prior.refine import RefineConfig, check_mask, refine
from semcorr_ros.mesh_prior.views import MeshView, views_of
from semcorr_ros.mesh_prior.work_folder import CANONICAL, MASKS, MESHES, REFINED, WorkFolder
from semcorr_ros.observations import Providers, observe
from semcorr_ros.storage import write_image

MADE_FROM = "made_from"  # provenance: digest of all that a file depends on


def reconstruct_image(
    folder: WorkFolder, sample: AnnotatedImage, providers: Providers, provider: MeshProvider
) -> None:
    """Write mask and mesh of an image.

    Raises ValueError for a mask without an outline, and whatever keeps the provider from making a mesh.
    """
    path = folder.file(MESHES, sample.name)
    with torch.no_grad():
        seen = observe(sample, providers, provider.model)
        if seen.mask is None:
            raise ValueError("it has no mask: give --masks-dir, or --masks sam")
        mask = seen.mask.cpu()
        check_mask(mask, seen.camera or centered(1.0, sample.size))
        mesh = provider.reconstruct(sample, seen)
    write_mask(folder, sample.name, mask)
    _write(path, mesh, of_image(sample, provider))


def of_image(sample: AnnotatedImage, provider: MeshProvider) -> str:
    """Hash what a mesh is made from: the image, its mask and annotation, the provider. Raises OSError."""
    files = [sample.image_path, *([sample.mask_path] if sample.mask_path else [])]
    return _hash([provider.identity, sample.bbox, sample.keypoints.tolist()], *map(Path.read_bytes, files))


def refine_image(folder: WorkFolder, name: str, config: RefineConfig) -> None:
    """Write the mesh of an image with refined pose. Raises FileNotFoundError, or ValueError as `refine`."""
    mesh = read_mesh(folder.file(MESHES, name))
    found = refine(mesh, read_mask(folder.file(MASKS, name, ".png"), mesh.camera.size), config)
    _write(folder.file(REFINED, name), found, of_mesh(folder, name, config))


def of_mesh(folder: WorkFolder, name: str, config: RefineConfig) -> str:
    """Hash what a refined mesh is made from. Raises FileNotFoundError."""
    mask = folder.file(MASKS, name, ".png").read_bytes()
    return _hash([digest(folder.file(MESHES, name)), asdict(config)], mask)


def views_of_image(folder: WorkFolder, name: str, side: int) -> list[MeshView]:
    """Render the refined mesh of an image. Raises FileNotFoundError or ValueError."""
    mesh = read_mesh(folder.file(REFINED, name))
    return views_of(name, mesh.vertices, mesh.faces, side)


def canonicalize_image(folder: WorkFolder, views: Sequence[MeshView], azimuth: Azimuth, key: str) -> None:
    """Write the mesh of an image in the object frame of its category. Raises ValueError where none tells."""
    name = views[0].name
    turned = canonicalized(read_mesh(folder.file(REFINED, name)), *vote(views, azimuth))
    _write(folder.file(CANONICAL, name), turned, _hash([key, digest(folder.file(REFINED, name))]))


def of_category(folder: WorkFolder, names: Sequence[str], estimator: AzimuthEstimator) -> str:
    """Hash what the front of a category is made from: all its meshes. Raises FileNotFoundError."""
    return _hash([estimator.identity, [[name, digest(folder.file(REFINED, name))] for name in names]])


def is_canonical(folder: WorkFolder, name: str, key: str) -> bool:
    """Tell whether the canonical mesh is made from these. Raises as `read_mesh`."""
    return is_from(folder, CANONICAL, name, _hash([key, digest(folder.file(REFINED, name))]))


def is_from(folder: WorkFolder, stage: str, name: str, key: str) -> bool:
    """Tell whether the mesh of a stage is whole, and made from what `key` hashes. Raises as `read_mesh`."""
    return read_mesh(folder.file(stage, name)).provenance.get(MADE_FROM) == key


def write_mask(folder: WorkFolder, name: str, mask: Bool[Tensor, "height width"]) -> None:
    """Write the mask of an image."""
    picture = (mask.to(torch.uint8) * 255)[..., None].expand(-1, -1, 3)
    write_image(folder.file(MASKS, name, ".png"), picture.contiguous())


def _write(path: Path, mesh: PosedMesh, key: str) -> None:
    write_mesh(path, replace(mesh, provenance=mesh.provenance | {MADE_FROM: key}))


def _hash(facts: Any, *contents: bytes) -> str:
    found = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode())
    for content in contents:
        found.update(hashlib.sha256(content).digest())
    return found.hexdigest()
