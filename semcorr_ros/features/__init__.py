"""Feature extractors: one backbone per file, found by name.

A backbone file defines a frozen `Config` and `build(config) -> FeatureExtractor`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from jaxtyping import UInt8
from torch import Tensor

from semcorr_ros.artifacts import FeatureMap


@dataclass(frozen=True)
class ImageRef:
    """An image to encode: its pixels and, for extractors that read files, where it came from."""

    image: UInt8[Tensor, "height width 3"]  # RGB, already mirrored when `mirrored`
    name: str = ""  # file stem
    category: str = ""  # sub-folder that precomputed files may be sorted into
    mirrored: bool = False
    path: Path | None = None


class FeatureExtractor(Protocol):
    """Turns an image into a FeatureMap that covers the whole image.

    With `from_pixels = True`, an optional attribute, it can also encode a part of one (zoom.py).
    """

    backbone: str  # "<name>:<fingerprint>", written into class files

    def encode(self, ref: ImageRef) -> FeatureMap:
        """Encode one image. Raises FileNotFoundError or ValueError naming the file or value."""
        ...
