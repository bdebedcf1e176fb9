"""Masks written by any other program: `<stem>.png`, above 127 = object, sub-folder per category optional."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import torch
from jaxtyping import Bool
from torch import Tensor

from semcorr_ros.artifacts import AnnotatedImage, Observation
from semcorr_ros.masks import MaskPlugin, MaskProvider, Recognizer
from semcorr_ros.storage import decode

THRESHOLD = 127


@dataclass(frozen=True)
class PrecomputedMasksSettings:
    folder: Path


@dataclass(frozen=True)
class PrecomputedMasks(MaskProvider):
    """Looks in `<folder>/<category>/` and then in `<folder>/`."""

    config: PrecomputedMasksSettings

    def mask(
        self, sample: AnnotatedImage, seen: Observation, model: Recognizer | None
    ) -> Bool[Tensor, "height width"] | None:
        """Read the mask; None where there is no file. Raises ValueError naming a bad one."""
        folder, name = Path(self.config.folder), f"{sample.name}.png"
        path = next((p for p in (folder / sample.category / name, folder / name) if p.is_file()), None)
        return None if path is None else read_mask(path, sample.size)


def build(config: PrecomputedMasksSettings) -> PrecomputedMasks:
    """Raises FileNotFoundError for a missing folder."""
    if not Path(config.folder).is_dir():
        raise FileNotFoundError(f"no mask folder {config.folder}")
    return PrecomputedMasks(config)


PLUGIN = MaskPlugin(PrecomputedMasksSettings, build, needs_files=True)


def read_mask(path: str | Path, size: tuple[int, int]) -> Bool[Tensor, "height width"]:
    """Read a mask: pixels brighter than 127. Raises FileNotFoundError, or ValueError naming the file."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no mask {path}")
    values = decode(path.read_bytes(), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH, str(path))
    if values.shape != size:
        (h, w), (height, width) = values.shape, size
        raise ValueError(f"{path} is {w}x{h} but its image is {width}x{height}")
    if not (values > THRESHOLD).any():
        raise ValueError(f"{path}: no pixel above {THRESHOLD}, the mask is empty")
    return torch.from_numpy(values > THRESHOLD)
