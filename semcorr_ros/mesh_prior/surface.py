"""Triangles from mesh files of any kind, cleaned and brought to one size and position."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import trimesh
from jaxtyping import Float, Int
from torch import Tensor

SUFFIXES = (".glb", ".gltf", ".obj", ".ply", ".off", ".stl", ".drc")
LARGEST_FILE = 500_000_000  # bytes: a file of more takes all memory to be read
MOST_FACES = 50_000  # of a mesh that is kept; more say nothing that an image or a geodesic would notice
LEAST_FACES = 4  # of a solid
LEAST_EXTENT = 1e-6  # second largest side of the box over the largest: below it lies a line or a point


@dataclass(frozen=True)
class Surface:
    """A mesh of the size of a `PosedMesh`, and where its file had it: `x_file = diagonal * x + middle`."""

    vertices: Float[Tensor, "V 3"]
    faces: Int[Tensor, "F 3"]
    middle: Float[Tensor, "3"]  # units of the file
    diagonal: float  # units of the file
    watertight: bool


def read_surface(path: Path, most_faces: int = MOST_FACES) -> Surface:
    """Read a mesh file; all its meshes become one.

    Raises FileNotFoundError, ImportError for a compressed mesh without the package that reads it, or
    ValueError naming what makes it useless.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    if path.stat().st_size > LARGEST_FILE:
        raise ValueError(f"{path} has {path.stat().st_size} bytes, at most {LARGEST_FILE} are read")
    try:
        loaded: Any = trimesh.load_scene(path) if path.suffix.lower() != ".drc" else _draco(path.read_bytes())
        mesh = loaded.to_mesh() if isinstance(loaded, trimesh.Scene) else loaded
    except (
        ValueError,
        KeyError,
        IndexError,
        TypeError,
        AttributeError,
        OSError,
        NotImplementedError,
    ) as error:
        raise ValueError(f"{path} is not a readable mesh: {error}") from error
    if not isinstance(mesh, trimesh.Trimesh):
        raise ValueError(f"{path} holds no triangles")
    try:
        return surface_of(np.asarray(mesh.vertices), np.asarray(mesh.faces), most_faces)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def surface_of(
    vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"], most_faces: int = MOST_FACES
) -> Surface:
    """Clean a mesh: coincident vertices are merged, empty triangles and what no triangle uses are dropped,
    and more than `most_faces` are simplified. Raises ValueError where nothing solid is left."""
    if len(faces) and (faces.min() < 0 or faces.max() >= len(vertices)):
        raise ValueError(f"a triangle names a vertex that is not there: {len(vertices)} vertices")
    mesh = trimesh.Trimesh(np.array(vertices, np.float64), np.array(faces, np.int64), process=False)
    if not np.isfinite(mesh.vertices[np.unique(mesh.faces)]).all():
        raise ValueError("it has vertices that are not finite")
    mesh.merge_vertices()
    mesh.update_faces(mesh.unique_faces() & mesh.nondegenerate_faces())
    mesh.remove_unreferenced_vertices()
    if len(mesh.faces) < LEAST_FACES:
        raise ValueError(f"it is empty: {len(mesh.faces)} triangles with an area")
    sides = np.sort(np.ptp(mesh.vertices, axis=0))
    if not sides[1] > LEAST_EXTENT * sides[2]:
        raise ValueError(f"it is no surface: its box measures {sides[2]:g} x {sides[1]:g} x {sides[0]:g}")
    if len(mesh.faces) > most_faces:
        mesh = mesh.simplify_quadric_decimation(face_count=most_faces)
    return _normalized(mesh)


def simplified(
    vertices: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"], most_faces: int
) -> tuple[Float[Tensor, "v 3"], Int[Tensor, "f 3"]]:
    """Return a coarser mesh with about `most_faces` triangles, the same one where there are fewer."""
    if len(faces) <= most_faces:
        return vertices, faces
    mesh = trimesh.Trimesh(vertices.numpy(), faces.numpy(), process=False)
    mesh = mesh.simplify_quadric_decimation(face_count=most_faces)
    # Copied: see mesh_file.py.
    return torch.tensor(np.array(mesh.vertices, np.float32)), torch.tensor(np.array(mesh.faces, np.int64))


def _normalized(mesh: trimesh.Trimesh) -> Surface:
    low, high = mesh.bounds
    middle, diagonal = (low + high) / 2, float(np.linalg.norm(high - low))
    return Surface(
        vertices=torch.tensor(((mesh.vertices - middle) / diagonal).astype(np.float32)),
        faces=torch.tensor(np.array(mesh.faces, np.int64)),
        middle=torch.tensor(middle.astype(np.float32)),
        diagonal=diagonal,
        watertight=bool(mesh.is_watertight),
    )


def _draco(data: bytes) -> trimesh.Trimesh:
    import DracoPy

    try:
        found = DracoPy.decode(data)
    except Exception as error:  # its own errors have no common class
        raise ValueError(f"Draco: {error}") from error
    return trimesh.Trimesh(np.asarray(found.points), np.asarray(found.faces), process=False)
