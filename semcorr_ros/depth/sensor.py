"""Depth measured with the image: the data set's own `Depth/<category>/<stem>.png` or `.npy`.

A `.png` is 16-bit millimetres, a `.npy` float metres (REP 118); both are metric.
"""

from __future__ import annotations

from dataclasses import dataclass

from semcorr_ros.artifacts import AnnotatedImage, DepthMap
from semcorr_ros.depth import DepthPlugin, _files
from semcorr_ros.registry import NoSettings


@dataclass(frozen=True)
class SensorDepth:
    """Reads `sample.depth_path`."""

    def depth(self, sample: AnnotatedImage) -> DepthMap:
        """Raises FileNotFoundError where the data set has no depth, ValueError for a bad file."""
        if sample.depth_path is None:
            raise FileNotFoundError(
                f"the data set has no depth of {sample.name} (docs/datasets.md: where each format looks);"
                " --depth keypoints builds a class without, or give depth maps with"
                " --depth precomputed --depth-dir DIR"
            )
        values = _files.read(sample.depth_path)
        return DepthMap(_files.to_size(values, sample.size, sample.depth_path), metric=True)


def build(config: NoSettings) -> SensorDepth:
    """Build depth of the data set itself."""
    return SensorDepth()


PLUGIN = DepthPlugin(NoSettings, build, needs_files=True)
