"""Masks written by any other program: `<stem>.png`, or another ending that files/mask.py reads; a sub-folder
per category is optional."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Bool
from torch import Tensor

from semcorr_ros.artifacts import AnnotatedImage, Observation
from semcorr_ros.files.arrays import find_file
from semcorr_ros.files.mask import SUFFIXES, read_mask
from semcorr_ros.masks import MaskPlugin, MaskProvider, Recognizer


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
        folder = Path(self.config.folder)
        path = find_file((folder / sample.category, folder), sample.name, SUFFIXES)
        return None if path is None else read_mask(path, sample.size, sample.image_path)


def build(config: PrecomputedMasksSettings) -> PrecomputedMasks:
    """Raises FileNotFoundError for a missing folder."""
    if not Path(config.folder).is_dir():
        raise FileNotFoundError(f"no mask folder {config.folder}")
    return PrecomputedMasks(config)


PLUGIN = MaskPlugin(PrecomputedMasksSettings, build, needs_files=True)
