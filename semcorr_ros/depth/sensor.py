"""Depth measured with the image: the data set's own `Depth/<category>/<stem>.png`, `.npy` or another ending
that files/depth.py reads.

Integers are millimetres, floats metres (REP 118), unless `scale` says otherwise; all are metric.
"""

from __future__ import annotations

from dataclasses import dataclass

from semcorr_ros.artifacts import AnnotatedImage, DepthMap
from semcorr_ros.depth import DepthPlugin
from semcorr_ros.files.depth import check_scale, read_depth


@dataclass(frozen=True)
class SensorDepthSettings:
    scale: float = 0.0  # metres per unit of the files; 0 = by the kind of number


@dataclass(frozen=True)
class SensorDepth:
    """Reads `sample.depth_path`."""

    config: SensorDepthSettings

    def depth(self, sample: AnnotatedImage) -> DepthMap:
        """Raises FileNotFoundError where the data set has no depth, ValueError for a bad file."""
        if sample.depth_path is None:
            raise FileNotFoundError(
                f"the data set has no depth of {sample.name} (docs/datasets.md: where each format looks);"
                " --depth keypoints builds a class without, or give depth maps with"
                " --depth precomputed --depth-dir DIR"
            )
        found = read_depth(sample.depth_path, sample.size, self.config.scale, sample.image_path)
        return DepthMap(found, metric=True)


def build(config: SensorDepthSettings) -> SensorDepth:
    """Build depth of the data set itself. Raises ValueError for a scale that is none."""
    check_scale(config.scale)
    return SensorDepth(config)


PLUGIN = DepthPlugin(SensorDepthSettings, build, needs_files=True)
