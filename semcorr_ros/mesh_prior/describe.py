"""Stage `describe`: descriptors of every vertex of the canonical meshes, one file each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from semcorr_ros.mesh_prior.descriptors import Describe
from semcorr_ros.mesh_prior.fine_surface import Surface, surface_of
from semcorr_ros.mesh_prior.mesh_file import digest, read_mesh
from semcorr_ros.mesh_prior.work_folder import CANONICAL, DESCRIPTORS, WorkFolder
from semcorr_ros.storage import read_header, read_tensors, write_tensors

SUFFIX = ".safetensors"


def describe_image(folder: WorkFolder, name: str, describe: Describe, longest: float) -> None:
    """Describe the mesh of one image. Raises FileNotFoundError or ValueError naming what is wrong.

    longest: edge of the surface that is described, in diagonals of its box.
    """
    path = folder.file(CANONICAL, name)
    mesh = read_mesh(path)
    surface, weights = surface_of(mesh, longest)
    values = describe(mesh, surface, weights)
    if not np.isfinite(values).all() or not values.any():
        raise ValueError(f"{describe.kind.partition(' ')[0]} says nothing about the mesh of {name}")
    header = key(path, describe, longest)
    tensors = {
        "values": torch.from_numpy(values).half(),
        "vertices": torch.from_numpy(surface.vertices),
        "faces": torch.from_numpy(surface.faces),
    }
    write_tensors(folder.file(DESCRIPTORS, name, SUFFIX), tensors, header)


def is_described(folder: WorkFolder, name: str, describe: Describe, longest: float) -> bool:
    """Tell whether the file of an image is of this mesh and descriptor. Raises as `read_described`."""
    header = read_header(folder.file(DESCRIPTORS, name, SUFFIX))
    wanted = key(folder.file(CANONICAL, name), describe, longest)
    return bool(header == wanted and len(read_described(folder, name)[1]))


def read_described(folder: WorkFolder, name: str) -> tuple[Surface, Float[np.ndarray, "V channel"]]:
    """Read the surface of an image's mesh, and what each vertex is described by.

    Raises FileNotFoundError or ValueError, also where the mesh has changed since.
    """
    path = folder.file(DESCRIPTORS, name, SUFFIX)
    tensors, header = read_tensors(path)
    if header.get("mesh") != digest(folder.file(CANONICAL, name)):
        raise ValueError(f"{path} describes another mesh: run the stage describe again")
    try:
        values, vertices, faces = (tensors[one] for one in ("values", "vertices", "faces"))
        if len(values) != len(vertices) or not bool(values.isfinite().all()):
            raise ValueError(f"{len(values)} descriptors of {len(vertices)} vertices, or not finite ones")
    except (KeyError, ValueError) as error:
        raise ValueError(f"{path} is damaged: {error}; delete it, and its stage makes it again") from error
    return Surface(vertices.numpy(), faces.numpy()), values.float().numpy()


def key(path: Path, describe: Describe, longest: float) -> dict[str, object]:
    """List what descriptors depend on."""
    return {"mesh": digest(path), "kind": describe.kind, "longest": longest}
