"""Depth maps written by any other program: one file per image stem, sub-folder per category optional.

`<stem>.npy` float (H, W) along z in any unit, or `<stem>.png` 16-bit millimetres, 0 = invalid.
With `kind: disparity` the file holds inverse depth (Depth Anything's raw output, a stereo disparity), and
`decode` says how it becomes depth.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from semcorr_ros.artifacts import AnnotatedImage, DepthMap
from semcorr_ros.depth import DepthPlugin, _files
from semcorr_ros.depth._disparity import DECODINGS, DisparityMap

KINDS = ("depth", "disparity")


@dataclass(frozen=True)
class PrecomputedDepthSettings:
    folder: Path
    kind: str = "depth"  # or "disparity"
    decode: str = "inverse"  # of disparity: 1 / d; or "release", "shifted", for networks: see _disparity.py


@dataclass(frozen=True)
class PrecomputedDepth:
    """Looks in `<folder>/<category>/` and then in `<folder>/`, for `.npy` and then `.png`."""

    config: PrecomputedDepthSettings

    def depth(self, sample: AnnotatedImage) -> DepthMap:
        """Read depth; metric from a `.png` only. Raises FileNotFoundError, ValueError naming the file."""
        path = self._path(sample)
        values = _files.to_size(_files.read(path), sample.size, path)
        if self.config.kind == "disparity":
            return DECODINGS[self.config.decode](DisparityMap(values))
        return DepthMap(values, metric=path.suffix == ".png")

    def _path(self, sample: AnnotatedImage) -> Path:
        folders = (self.config.folder / sample.category, self.config.folder)
        candidates = [f / f"{sample.name}{suffix}" for f in folders for suffix in (".npy", ".png")]
        for path in candidates:
            if path.is_file():
                return path
        raise FileNotFoundError(f"no depth for {sample.name}: none of {', '.join(map(str, candidates))}")


def build(config: PrecomputedDepthSettings) -> PrecomputedDepth:
    """Raises ValueError for an unknown kind or decoding, FileNotFoundError for a missing folder."""
    if config.kind not in KINDS:
        raise ValueError(f"unknown depth kind {config.kind!r}; choose from {', '.join(KINDS)}")
    if config.decode not in DECODINGS:
        raise ValueError(f"unknown decode {config.decode!r}; choose from {', '.join(DECODINGS)}")
    if not Path(config.folder).is_dir():
        raise FileNotFoundError(f"no depth folder {config.folder}")
    return PrecomputedDepth(config)


PLUGIN = DepthPlugin(PrecomputedDepthSettings, build, needs_files=True)
