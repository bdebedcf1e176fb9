"""Depth maps written by any other program: one file per image stem, sub-folder per category optional.

`<stem>.npy` float (H, W) along z in any unit, integers or `<stem>.png` of 16 bits in millimetres,
0 = invalid; other endings as in files/depth.py. `scale` says metres per unit and makes any of them metric.
With `kind: disparity` the file holds inverse depth (Depth Anything's raw output, a stereo disparity), and
`decode` says how it becomes depth.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from semcorr_ros.artifacts import AnnotatedImage, DepthMap
from semcorr_ros.depth import DepthPlugin
from semcorr_ros.depth._disparity import DECODINGS, DisparityMap
from semcorr_ros.files.arrays import find_file
from semcorr_ros.files.depth import SUFFIXES, check_scale, read_depth, read_numbers, to_size

KINDS = ("depth", "disparity")


@dataclass(frozen=True)
class PrecomputedDepthSettings:
    folder: Path
    kind: str = "depth"  # or "disparity"
    scale: float = 0.0  # metres per unit; 0 = integers are millimetres, floats of any unit
    decode: str = "inverse"  # of disparity: 1 / d; or "release", "shifted", for networks: see _disparity.py


@dataclass(frozen=True)
class PrecomputedDepth:
    """Looks in `<folder>/<category>/` and then in `<folder>/`, for `.npy`, then `.png` and others."""

    config: PrecomputedDepthSettings

    def depth(self, sample: AnnotatedImage) -> DepthMap:
        """Read depth; metric where its unit is known. Raises FileNotFoundError or ValueError, naming it."""
        path, scale = self._path(sample), self.config.scale
        values = read_numbers(path, eight_bits=self.config.kind == "disparity" or scale > 0)
        metric = self.config.kind == "depth" and (scale > 0 or values.dtype.kind in "iu")
        if metric:
            return DepthMap(read_depth(path, sample.size, scale, sample.image_path), metric=True)
        found = to_size(values, sample.size, path, sample.image_path)
        if self.config.kind == "disparity":
            return DECODINGS[self.config.decode](DisparityMap(found))
        return DepthMap(found, metric=False)

    def _path(self, sample: AnnotatedImage) -> Path:
        folders = (self.config.folder / sample.category, self.config.folder)
        found = find_file(folders, sample.picture, SUFFIXES)
        if found is None:
            places = " or ".join(map(str, folders))
            raise FileNotFoundError(f"no depth for {sample.picture}: no {', '.join(SUFFIXES)} in {places}")
        return found


def build(config: PrecomputedDepthSettings) -> PrecomputedDepth:
    """Raises ValueError for an unknown kind or decoding, FileNotFoundError for a missing folder."""
    if config.kind not in KINDS:
        raise ValueError(f"unknown depth kind {config.kind!r}; choose from {', '.join(KINDS)}")
    if config.decode not in DECODINGS:
        raise ValueError(f"unknown decode {config.decode!r}; choose from {', '.join(DECODINGS)}")
    check_scale(config.scale)
    if not Path(config.folder).is_dir():
        raise FileNotFoundError(f"no depth folder {config.folder}")
    return PrecomputedDepth(config)


PLUGIN = DepthPlugin(PrecomputedDepthSettings, build, needs_files=True)
