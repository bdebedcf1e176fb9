"""PartField's part features (Liu et al., 2025), from the .npy files of its `partfield_inference.py`.

It describes each vertex (`vertex_feature True`) or, by default, each face; which one a file is of follows
from its number of rows. Files: `<folder>[/<category>]/<stem>.npy`, or `part_feat_<stem>_0_batch.npy` as it
names them. Run it on the meshes of the stage before: rows are those of their vertices and faces.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy import sparse

from semcorr_ros.files.arrays import read_array
from semcorr_ros.mesh_prior.artifacts import PosedMesh
from semcorr_ros.mesh_prior.descriptors import Descriptor, unit
from semcorr_ros.mesh_prior.fine_surface import Surface


@dataclass(frozen=True)
class PartFieldSettings:
    """folder: of the .npy files."""

    folder: Path


class PartFieldDescriptor:
    """Describes by files."""

    def __init__(self, settings: PartFieldSettings) -> None:
        self._folder = Path(settings.folder)
        if not self._folder.is_dir():
            raise FileNotFoundError(f"no folder {self._folder}; partfield_inference.py writes its .npy files")
        self.kind = "partfield"

    def __call__(
        self, mesh: PosedMesh, surface: Surface, weights: sparse.csr_matrix
    ) -> Float[np.ndarray, "V channel"]:
        """Read the features of a mesh and bring them to the surface's vertices."""
        path = self._path(mesh)
        values = read_array(path, ())
        if values.ndim != 2 or not np.issubdtype(values.dtype, np.floating) or not np.isfinite(values).all():
            raise ValueError(
                f"{path}: expected finite floats (rows, channels), got {values.dtype} {values.shape}"
            )
        return unit(weights @ _per_vertex(values.astype(np.float64), mesh, path))

    def _path(self, mesh: PosedMesh) -> Path:
        names = (f"{mesh.name}.npy", f"part_feat_{mesh.name}_0_batch.npy")
        places = [folder / name for folder in (self._folder / mesh.category, self._folder) for name in names]
        found = next((path for path in places if path.is_file()), None)
        if found is None:
            raise FileNotFoundError(
                f"no PartField features of {mesh.name}: none of {', '.join(map(str, places))}"
            )
        return found


def build(settings: PartFieldSettings) -> PartFieldDescriptor:
    """Raises FileNotFoundError for a folder that is not there."""
    return PartFieldDescriptor(settings)


PLUGIN = Descriptor(PartFieldSettings, build, needs_files=True)


def _per_vertex(values: np.ndarray, mesh: PosedMesh, path: Path) -> Float[np.ndarray, "V channel"]:
    """Give each vertex the mean of its faces, by area, where rows are faces."""
    if len(values) == len(mesh.vertices):
        return values
    if len(values) != len(mesh.faces):
        raise ValueError(
            f"{path} has {len(values)} rows, and the mesh {len(mesh.vertices)} vertices and "
            f"{len(mesh.faces)} faces: it is of another mesh"
        )
    corners, faces = mesh.vertices.double().numpy(), mesh.faces.numpy()
    a, b, c = (corners[faces[:, i]] for i in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
    rows = (np.repeat(area, 3), (faces.ravel(), np.repeat(np.arange(len(faces)), 3)))
    spread = sparse.csr_matrix(rows, shape=(len(corners), len(faces)))
    total = np.asarray(spread.sum(1))
    found: Float[np.ndarray, "V channel"] = (spread @ values) / np.maximum(total, 1e-12)
    return found
