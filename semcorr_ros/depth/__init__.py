"""Depth providers: one per file, found by name.

A provider file defines a frozen `Config` and `build(config) -> DepthProvider`.
"""

from __future__ import annotations

from typing import Protocol

from semcorr_ros.artifacts import AnnotatedImage, DepthMap


class DepthProvider(Protocol):
    """Gives the depth of a dataset image, resampled to the image's size."""

    def depth(self, sample: AnnotatedImage) -> DepthMap:
        """Raises FileNotFoundError or ValueError naming the file and what is wrong with it."""
        ...
