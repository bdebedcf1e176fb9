"""Masks written by any other program: `<stem>.png`, above 127 = object, sub-folder per category optional."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from semcorr_ros.artifacts import AnnotatedImage, FeatureMap, Prototypes

THRESHOLD = 127


@dataclass(frozen=True)
class Config:
    folder: Path


@dataclass(frozen=True)
class PrecomputedMasks:
    """Looks in `<folder>/<category>/` and then in `<folder>/`."""

    config: Config

    def mask(
        self, sample: AnnotatedImage, features: FeatureMap, prototypes: Prototypes | None
    ) -> Bool[Tensor, "height width"] | None:
        """None where there is no file. Raises ValueError naming a bad one."""
        folder, name = Path(self.config.folder), f"{sample.name}.png"
        path = next((p for p in (folder / sample.category / name, folder / name) if p.is_file()), None)
        if path is None:
            return None
        try:
            with Image.open(path) as image:
                # "1" holds booleans; everything else is read as brightness.
                values = np.array(image.convert("L"))
        except (UnidentifiedImageError, OSError, SyntaxError) as error:
            raise ValueError(f"{path} is not a readable image: {error}") from error
        if values.shape != sample.size:
            (h, w), (height, width) = values.shape, sample.size
            raise ValueError(f"{path} is {w}x{h} but its image is {width}x{height}")
        mask = values > THRESHOLD
        if not mask.any():
            raise ValueError(f"{path}: no pixel above {THRESHOLD}, the mask is empty")
        return torch.from_numpy(mask)


def build(config: Config) -> PrecomputedMasks:
    """Raises FileNotFoundError for a missing folder."""
    if not Path(config.folder).is_dir():
        raise FileNotFoundError(f"no mask folder {config.folder}")
    return PrecomputedMasks(config)
