"""Meshes made elsewhere: `<stem>.glb`, `.gltf`, `.obj`, `.ply`, `.off`, `.stl` or `.drc`, and `<stem>.json`.

The folder may have a sub-folder per category. The JSON says where the mesh is before the camera:
`{"K": 3x3 pixels, "rotation": 3x3, "translation": [x, y, z], "scale": 1.0, "axes": "object"}` with
`x_camera = scale * rotation @ x_file + translation` in the optical frame. K may be missing where the data set
has the camera. axes: how the file's coordinates are to be read, "object" (x front, y left, z up) or "gltf"
(z front, y up); "rotation" may be "quaternion": [x, y, z, w].
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.artifacts import AnnotatedImage, Camera, Observation
from semcorr_ros.files.camera import read_camera
from semcorr_ros.geometry.boxes import box_of
from semcorr_ros.geometry.cameras import project
from semcorr_ros.geometry.rotations import from_quaternion
from semcorr_ros.masks import Recognizer
from semcorr_ros.mesh_prior.artifacts import PosedMesh
from semcorr_ros.mesh_prior.mesh_file import ORTHOGONAL
from semcorr_ros.mesh_prior.reconstruction import posed
from semcorr_ros.mesh_prior.surface import SUFFIXES, read_surface
from semcorr_ros.registry import Plugin
from semcorr_ros.storage import read_json

# x_object = AXES @ x_file. glTF: +z front, +x left, +y up.
AXES = {"object": torch.eye(3), "gltf": torch.tensor([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])}
KEYS = ("K", "rotation", "quaternion", "translation", "scale", "axes", "metric")
MILLIMETRES = (250.0, 4000.0)  # mesh over mask in the image: a pose in metres, a file in millimetres
FARTHEST_OFF = 25.0  # the same: beyond, mesh and camera do not belong together


@dataclass(frozen=True)
class FilesSettings:
    """Where the files are."""

    folder: Path | None = None


class Files:
    """Reads them."""

    model: Recognizer | None = None

    def __init__(self, settings: FilesSettings) -> None:
        if settings.folder is None:
            raise ValueError("--meshes files needs --mesh-dir")
        if not settings.folder.is_dir():
            raise FileNotFoundError(f"--mesh-dir {settings.folder} is no folder")
        self._folder = settings.folder

    @property
    def identity(self) -> str:
        return "files"

    def reconstruct(self, sample: AnnotatedImage, seen: Observation) -> PosedMesh:
        """Read mesh and pose. Raises FileNotFoundError or ValueError naming the file."""
        path = self._find(sample)
        header = path.with_suffix(".json")
        content = _checked(header, read_json(header))
        camera = read_camera(header, sample.size) if "K" in content else seen.camera
        if camera is None:
            raise ValueError(f'{header} has no "K", and the data set no camera for {sample.name}')
        try:
            pose = _pose(content)
            found = posed(sample, read_surface(path), pose, AXES[content.get("axes", "object")], camera)
        except (TypeError, ValueError, RuntimeError) as error:
            raise ValueError(f"{header}: {error}") from error
        assert seen.mask is not None
        found = _in_one_unit(path, replace(found, metric=bool(content.get("metric", False))), seen.mask)
        return replace(found, provenance={"provider": "files", "file": path.name} | found.provenance)

    def _find(self, sample: AnnotatedImage) -> Path:
        folders = (self._folder / sample.category, self._folder)
        paths = [folder / f"{sample.name}{suffix}" for folder in folders for suffix in SUFFIXES]
        found = [path for path in paths if path.is_file()]
        if not found:
            raise FileNotFoundError(f"no mesh {self._folder / sample.name} with one of {' '.join(SUFFIXES)}")
        return found[0]


PLUGIN: Plugin[Files] = Plugin(FilesSettings, Files, needs_files=True)


def _checked(path: Path, content: Any) -> dict[str, Any]:
    """Raises ValueError for keys or values that are not those of the format."""
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected an object with {', '.join(KEYS)}")
    unknown = sorted(set(content) - set(KEYS))
    if unknown:
        raise ValueError(f"{path}: unknown key {unknown[0]!r}; known are {', '.join(KEYS)}")
    if content.get("axes", "object") not in AXES:
        raise ValueError(f"{path}: axes must be one of {', '.join(AXES)}, got {content['axes']!r}")
    if "translation" not in content or ("rotation" in content) == ("quaternion" in content):
        raise ValueError(f'{path}: needs "translation", and either "rotation" or "quaternion" (x, y, z, w)')
    return content


def _pose(content: dict[str, Any]) -> tuple[float, Float[Tensor, "3 3"], Float[Tensor, "3"]]:
    translation = torch.tensor(content["translation"], dtype=torch.float32)
    if "quaternion" in content:
        quat = torch.tensor(content["quaternion"], dtype=torch.float32)
        if quat.shape != (4,) or abs(float(quat.norm()) - 1) > ORTHOGONAL:
            raise ValueError(f"quaternion must be four numbers of norm 1, got {content['quaternion']}")
        rotation = from_quaternion(quat)
    else:
        rotation = torch.tensor(content["rotation"], dtype=torch.float32)
    if rotation.shape != (3, 3) or float((rotation @ rotation.mT - torch.eye(3)).abs().max()) > ORTHOGONAL:
        raise ValueError(
            f"rotation must be 3x3 and orthonormal, got {content['rotation']}; size goes to scale"
        )
    if float(torch.linalg.det(rotation)) < 0:
        raise ValueError("rotation mirrors (determinant -1)")
    if translation.shape != (3,) or not bool(torch.isfinite(translation).all()):
        raise ValueError(f"translation must be three numbers, got {content['translation']}")
    return float(content.get("scale", 1.0)), rotation, translation


def _in_one_unit(path: Path, mesh: PosedMesh, mask: Tensor) -> PosedMesh:
    """Take a mesh in millimetres with a pose in metres for what it is. Raises ValueError for one that is too
    large or too small for its mask by any other factor."""
    if not mask.any():
        return mesh
    ratio = _size(mesh) / math.hypot(*box_of(mask)[2:])
    if MILLIMETRES[0] < ratio < MILLIMETRES[1]:
        smaller = replace(mesh, log_scale=mesh.log_scale - math.log(1000))
        return replace(smaller, provenance={"unit": "millimetres, with a pose in metres"})
    if not 1 / FARTHEST_OFF < ratio < FARTHEST_OFF:
        raise ValueError(
            f"{path} is {ratio:.2g} times as large in the image as its mask: check scale and translation"
        )
    return mesh


def _size(mesh: PosedMesh) -> float:
    """Measure the diagonal of the mesh in the image, pixels; as if it were flat, at the distance of its
    middle."""
    camera: Camera = mesh.camera
    depth = abs(float(mesh.translation[2]))
    flat = torch.tensor([[0.0, 0.0, depth], [mesh.scale, 0.0, depth]])
    pixels = project(flat, camera)
    return float((pixels[1] - pixels[0]).norm())
