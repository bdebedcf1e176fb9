"""Depth maps written by any other program: one file per image stem, sub-folder per category optional.

`<stem>.npy` float (H, W) along z in any unit, or `<stem>.png` 16-bit millimetres, 0 = invalid.
With `kind: disparity` the file holds inverse depth (Depth Anything's raw output, a stereo disparity).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.artifacts import AnnotatedImage, DepthMap
from semcorr_ros.depth import _files

KINDS = ("depth", "disparity")
# Relative disparity reaches 0 at the horizon; its inverse there is noise, not a distance.
MIN_DISPARITY = 1e-3  # of the largest in the image


@dataclass(frozen=True)
class Config:
    folder: Path
    kind: str = "depth"  # or "disparity"


@dataclass(frozen=True)
class PrecomputedDepth:
    """Looks in `<folder>/<category>/` and then in `<folder>/`, for `.npy` and then `.png`."""

    config: Config

    def depth(self, sample: AnnotatedImage) -> DepthMap:
        """Metric only for a `.png` of depth. Raises FileNotFoundError, ValueError naming the file."""
        path = self._path(sample)
        values = _files.to_size(_files.read(path), sample.size, path)
        if self.config.kind == "disparity":
            return DepthMap(from_disparity(values), metric=False)
        return DepthMap(values, metric=path.suffix == ".png")

    def _path(self, sample: AnnotatedImage) -> Path:
        folders = (self.config.folder / sample.category, self.config.folder)
        candidates = [f / f"{sample.name}{suffix}" for f in folders for suffix in (".npy", ".png")]
        for path in candidates:
            if path.is_file():
                return path
        raise FileNotFoundError(f"no depth for {sample.name}: none of {', '.join(map(str, candidates))}")


def from_disparity(disparity: Float[Tensor, "height width"]) -> Float[Tensor, "height width"]:
    """1 / disparity, up to scale; 0 (invalid) where the disparity says nothing."""
    usable = torch.isfinite(disparity) & (disparity > 0)
    largest = torch.where(usable, disparity, 0).max()
    usable &= disparity >= MIN_DISPARITY * largest
    return torch.where(usable, largest / disparity.clamp_min(1e-30), 0)


def build(config: Config) -> PrecomputedDepth:
    """Raises ValueError for an unknown kind, FileNotFoundError for a missing folder."""
    if config.kind not in KINDS:
        raise ValueError(f"unknown depth kind {config.kind!r}; choose from {', '.join(KINDS)}")
    if not Path(config.folder).is_dir():
        raise FileNotFoundError(f"no depth folder {config.folder}")
    return PrecomputedDepth(config)
