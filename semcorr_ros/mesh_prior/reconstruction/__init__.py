"""From an image and its mask to a posed mesh: one provider per file.

A file says `PLUGIN = Plugin(Settings, Provider)`; what it builds is a `MeshProvider`.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.artifacts import AnnotatedImage, Camera, Observation
from semcorr_ros.masks import Recognizer
from semcorr_ros.mesh_prior.artifacts import PosedMesh
from semcorr_ros.mesh_prior.surface import Surface
from semcorr_ros.registry import Plugin, Registry


class MeshProvider(Protocol):
    """Makes the mesh of the object in an image."""

    @property
    def model(self) -> Recognizer | None:
        """A class by which masks may be found; None: the provider knows of none."""
        ...

    @property
    def identity(self) -> str:
        """Tell what the meshes depend on beside the image: equal strings mean the same meshes."""
        ...

    def reconstruct(self, sample: AnnotatedImage, seen: Observation) -> PosedMesh:
        """Reconstruct the object under the mask of `seen`, which is not None.

        Raises ValueError, OSError or ImportError saying why there is no mesh.
        """
        ...


MESHES: Registry[Plugin[MeshProvider]] = Registry(__name__, Plugin)


def posed(
    sample: AnnotatedImage,
    surface: Surface,
    pose: tuple[float, Float[Tensor, "3 3"], Float[Tensor, "3"]],
    axes: Float[Tensor, "3 3"],
    camera: Camera,
) -> PosedMesh:
    """Bring a surface with a pose to the frames of `PosedMesh`.

    pose: scale, rotation and translation with `x_camera = scale * rotation @ x_file + translation`, optical
    frame. axes: a rotation with `x_object = axes @ x_file`, up to size and position.
    """
    scale, rotation, translation = pose
    size = torch.tensor(scale * surface.diagonal, dtype=torch.float64)
    if not (bool(torch.isfinite(size)) and float(size) > 0):
        raise ValueError(f"scale {scale} of a mesh with diagonal {surface.diagonal:g} is no size")
    return PosedMesh(
        name=sample.name,
        category=sample.category,
        vertices=surface.vertices @ axes.mT,
        faces=surface.faces,
        rotation=rotation @ axes.mT,
        translation=translation + scale * rotation @ surface.middle,
        log_scale=float(size.log()),
        camera=camera,
        measures={"faces": float(len(surface.faces)), "watertight": float(surface.watertight)},
    )


def fingerprint(path: Path) -> str:
    """Hash a file that meshes depend on. Raises FileNotFoundError."""
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
