"""Pictures that are encoded once and kept as files of a work folder, until what they depend on changes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from semcorr_ros.artifacts import AnnotatedImage
from semcorr_ros.observations import Providers
from semcorr_ros.storage import write_tensors

FAILURES = (ValueError, OSError)  # of one picture
KEPT_MASKS = ("annotation", "attention", "_keypoint_hull")  # which look at nothing but the sample


class CannotWriteError(OSError):
    """Raised for a work folder that refuses a file: no fault of the picture."""


@dataclass(frozen=True)
class Skipped:
    """A picture that cannot be learned from."""

    name: str
    reason: str


def key(sample: AnnotatedImage, providers: Providers, options: list[Any]) -> str:
    """Hash what an encoded picture depends on: the files of picture and mask, annotations, and options."""
    extractor = providers.features
    facts = [extractor.backbone, extractor.variant, *options, sample.bbox]
    facts += [
        [type(mask).__module__ for mask in providers.masks],
        sample.keypoints.tolist(),
        sample.visible.tolist(),
    ]
    found = hashlib.sha256(json.dumps(facts).encode())
    for path in (sample.image_path, sample.mask_path):
        found.update(path.read_bytes() if path is not None and path.is_file() else b"none")
    return found.hexdigest()


def can_be_kept(providers: Providers) -> bool:
    """Tell whether the key says everything: not what other files or networks say of a picture."""
    own = all(type(mask).__module__.rpartition(".")[2] in KEPT_MASKS for mask in providers.masks)
    return providers.features.from_pixels and own


def draws(sample: AnnotatedImage, seed: int) -> torch.Generator:
    """Make the draws of one picture: others are cropped elsewhere."""
    found = hashlib.sha256(f"{seed}/{sample.category}/{sample.name}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(found[:6], "big"))


def write(path: Path, tensors: dict[str, Tensor], header: dict[str, Any]) -> None:
    """Write an encoded picture. Raises CannotWriteError."""
    try:
        write_tensors(path, tensors, header)
    except OSError as error:
        raise CannotWriteError(f"{path} cannot be written: {error}") from error


def digest(path: Path) -> str:
    """Hash a file that was written."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
