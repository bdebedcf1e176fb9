"""An alignment on disk, so that an interrupted evaluation goes on where it was."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from torch import Tensor

from semcorr_ros.artifacts import Camera
from semcorr_ros.methods.semalign3d.artifacts import Alignment
from semcorr_ros.storage import read_tensors, write_tensors

LOOSE_FIELDS = ("energy_by_term", "camera", "metric")  # of Alignment: not one tensor each


def write_alignment(path: Path, found: Alignment) -> None:
    """Write an alignment as a safetensors file, atomically."""
    tensors = {
        field.name: getattr(found, field.name)
        for field in dataclasses.fields(found)
        if field.name not in LOOSE_FIELDS
    }
    tensors |= {f"energy_by_term.{name}": value for name, value in found.energy_by_term.items()}
    tensors |= {"camera.focal": found.camera.focal, "camera.principal_point": found.camera.principal_point}
    write_tensors(path, tensors, {"metric": found.metric, "size": found.camera.size})


def read_alignment(path: Path, device: str = "cpu") -> Alignment:
    """Raises ValueError for a damaged file."""
    tensors, header = read_tensors(path, device)
    camera = Camera(tensors.pop("camera.focal"), tensors.pop("camera.principal_point"), tuple(header["size"]))
    terms: dict[str, Tensor] = {}
    for key in [key for key in tensors if key.startswith("energy_by_term.")]:
        terms[key.partition(".")[2]] = tensors.pop(key)
    return Alignment(**tensors, energy_by_term=terms, camera=camera, metric=header["metric"])
