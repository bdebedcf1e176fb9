"""A class that a running process knows, read from its file."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from semcorr_ros import backbones, methods
from semcorr_ros.artifacts import CategoryInfo
from semcorr_ros.methods import Model, Quality
from semcorr_ros.refusal import Code, Refusal

LARGEST_FILE = 2**30  # bytes; nothing larger is opened. Ours are below 10 MB, the largest published 452 MB


@dataclass(frozen=True)
class Resident:
    """A loaded class. An evicted one has no tensors until `ClassBank.hold` reads them again."""

    info: CategoryInfo
    known: tuple[str, ...]  # names of the keypoints that were ever annotated
    metric_scale: float  # of the file, else learned by `ClassBank.measure`; 0 = unknown
    backbone: str
    path: Path
    version: str  # first 12 hex digits of the SHA-256 of the file
    size: int  # bytes of the tensors
    active: bool  # aligned to every frame
    held: Model | None
    sizes: tuple[float, ...] = ()  # metres per canonical unit, measured while metric_scale is unknown

    @property
    def model(self) -> Model:
        """The model of a class that `hold` has just returned."""
        assert self.held is not None, f"class {self.info.name!r} is evicted"
        return self.held


def read_resident(path: Path, device: str, backbone: str, quality: Quality) -> Resident:
    """Read a class file onto the device; not active yet. Raises Refusal BAD_FILE, BACKBONE_MISMATCH."""
    try:
        if path.exists() and not path.is_file():
            raise ValueError(f"{path} is not a file")
        if path.is_file() and path.stat().st_size > LARGEST_FILE:
            raise ValueError(f"{path} is too large for a class file: more than {LARGEST_FILE} bytes")
        model = methods.load(path, device, quality)
        version = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    except (OSError, ValueError) as error:
        raise Refusal(Code.BAD_FILE, str(error)) from error
    if model.backbone != backbone:
        sentence = backbones.mismatch(backbones.origin_of(model), backbone, path)
        raise Refusal(Code.BACKBONE_MISMATCH, sentence)
    facts = (model.info, model.known, model.metric_scale, model.backbone)
    return Resident(*facts, path, version, tensor_bytes(model), active=False, held=model)


def sized(resident: Resident, metres: float) -> Resident:
    """Set the size of a class, in metres per canonical unit."""
    held = None if resident.held is None else resident.held.with_size(metres)
    return replace(resident, metric_scale=metres, held=held)


def as_large_as(before: Resident, again: Resident) -> Resident:
    """Set the size learned before on a class that was read again, if its file is still the same."""
    if again.metric_scale > 0 or again.version != before.version:
        return again
    return sized(replace(again, sizes=before.sizes), before.metric_scale)


def tensor_bytes(artefact: Any) -> int:
    """Sum the bytes of all tensors in a dataclass and its nested dataclasses."""
    if isinstance(artefact, torch.Tensor):
        return artefact.numel() * artefact.element_size()
    if dataclasses.is_dataclass(artefact):
        return sum(tensor_bytes(getattr(artefact, item.name)) for item in dataclasses.fields(artefact))
    return 0
