"""One image's mesh on disk: `<stem>.ply` holds vertices and faces, `<stem>.json` beside it all the rest.

The JSON is written last and holds a digest of the PLY: where it is there and fits, the pair is whole.
"""

from __future__ import annotations

import hashlib
import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
import trimesh

from semcorr_ros.geometry.cameras import from_matrix
from semcorr_ros.mesh_prior.artifacts import PosedMesh
from semcorr_ros.storage import atomic_path, read_json, write_json

VERSION = 1
ORTHOGONAL = 1e-3  # largest deviation of a rotation from one


def write_mesh(path: str | Path, mesh: PosedMesh) -> None:
    """Write `path` (.ply) and the JSON beside it, atomically. Same mesh, same bytes."""
    path = Path(path)
    surface = trimesh.Trimesh(mesh.vertices.numpy(), mesh.faces.numpy(), process=False)
    data: Any = surface.export(file_type="ply", vertex_normal=False, include_attributes=False)
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
    write_json(path.with_suffix(".json"), _header(mesh) | {"ply_sha256": hashlib.sha256(data).hexdigest()})


def read_mesh(path: str | Path) -> PosedMesh:
    """Read what `write_mesh` wrote. Raises FileNotFoundError, or ValueError for a damaged pair of files."""
    path = Path(path)
    header = read_json(path.with_suffix(".json"))
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    data = path.read_bytes()
    try:
        if header["version"] != VERSION:
            raise ValueError(f"version {header['version']!r}, this package reads {VERSION}")
        if header["ply_sha256"] != hashlib.sha256(data).hexdigest():
            raise ValueError("the .ply is not the one that the .json was written with")
        loaded: Any = trimesh.load(io.BytesIO(data), file_type="ply", process=False)
        return _checked(_mesh(header, loaded))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged: {error}; delete it, and its stage makes it again") from error


def digest(path: str | Path) -> str:
    """Hash what a mesh file holds, PLY and pose alike: the next stage keeps it to know what it was made from.
    Raises FileNotFoundError."""
    return hashlib.sha256(Path(path).with_suffix(".json").read_bytes()).hexdigest()


def _header(mesh: PosedMesh) -> dict[str, Any]:
    (fx, fy), (cx, cy) = mesh.camera.focal.tolist(), mesh.camera.principal_point.tolist()
    return {
        "version": VERSION,
        "name": mesh.name,
        "category": mesh.category,
        "rotation": mesh.rotation.tolist(),
        "translation": mesh.translation.tolist(),
        "log_scale": mesh.log_scale,
        "K": [[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]],
        "size": list(mesh.camera.size),
        "metric": mesh.metric,
        "measures": dict(sorted(mesh.measures.items())),
        "provenance": dict(sorted(mesh.provenance.items())),
    }


def _mesh(header: dict[str, Any], surface: Any) -> PosedMesh:
    height, width = header["size"]
    # Copied to memory of torch, which is aligned the same way every time: products of matrices depend on it.
    return PosedMesh(
        name=str(header["name"]),
        category=str(header["category"]),
        vertices=torch.tensor(np.array(surface.vertices, np.float32)),
        faces=torch.tensor(np.array(surface.faces, np.int64)),
        rotation=torch.tensor(header["rotation"], dtype=torch.float32),
        translation=torch.tensor(header["translation"], dtype=torch.float32),
        log_scale=float(header["log_scale"]),
        camera=from_matrix(torch.tensor(header["K"]), (int(height), int(width))),
        metric=bool(header["metric"]),
        measures={str(key): float(value) for key, value in header["measures"].items()},
        provenance={str(key): str(value) for key, value in header["provenance"].items()},
    )


def _checked(mesh: PosedMesh) -> PosedMesh:
    """Raises ValueError for numbers that are no surface or no pose."""
    if not len(mesh.faces) or not bool(torch.isfinite(mesh.vertices).all()):
        raise ValueError("the .ply holds no triangles, or vertices that are not finite")
    pose = torch.cat([mesh.rotation.flatten(), mesh.translation, torch.tensor([mesh.log_scale])])
    if pose.shape != (13,) or not bool(torch.isfinite(pose).all()) or abs(mesh.log_scale) > math.log(1e12):
        raise ValueError("its pose is not finite")
    off = (mesh.rotation @ mesh.rotation.mT - torch.eye(3)).abs().max()
    if float(off) > ORTHOGONAL or float(torch.linalg.det(mesh.rotation)) < 0:
        raise ValueError(f"rotation {mesh.rotation.tolist()} is not a proper rotation")
    return mesh
