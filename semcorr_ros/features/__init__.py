"""Feature extractors: one backbone per file, found by name.

A file says `PLUGIN = Backbone(Settings, build)`, with a frozen dataclass of settings and
`build(settings) -> FeatureExtractor`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from jaxtyping import UInt8
from torch import Tensor

from semcorr_ros.artifacts import FeatureMap
from semcorr_ros.registry import Plugin, Registry


@dataclass(frozen=True)
class ImageRef:
    """An image to encode: its pixels and, for extractors that read files, where it came from."""

    image: UInt8[Tensor, "height width 3"]  # RGB, already mirrored when `mirrored`
    name: str = ""  # file stem
    category: str = ""  # sub-folder that precomputed files may be sorted into
    mirrored: bool = False
    path: Path | None = None


class FeatureExtractor(Protocol):
    """Turns an image into a FeatureMap that covers the whole image. Inherit from it for the defaults."""

    backbone: str  # "<name>:<fingerprint>", written into class files; equal ones mean comparable features
    # Features come from pixels alone: a part of an image can be encoded (zoom.py), and results cached.
    from_pixels: bool = False
    from_files: bool = False  # by an image's name: of the picture as it is stored, whatever is done to it
    variant: str = ""  # what changes digits of the features but not what they mean, such as the precision
    origin: str = ""  # where its weights are published, and their licence

    def encode(self, ref: ImageRef) -> FeatureMap:
        """Encode one image. Raises FileNotFoundError or ValueError naming the file or value."""
        ...

    def encode_batch(self, refs: Sequence[ImageRef]) -> list[FeatureMap]:
        """Encode several images: here one after the other; in one pass where the extractor can.

        The features are those of `encode`, up to rounding. Raises as `encode` does, for the whole batch.
        """
        return [self.encode(ref) for ref in refs]


@runtime_checkable
class PairEncoder(Protocol):
    """An extractor that can encode two images together, which `evaluate` prefers."""

    def encode_pair(self, source: ImageRef, target: ImageRef) -> tuple[FeatureMap, FeatureMap]:
        """Encode two images into features comparable with each other only. Raises as `encode` does."""
        ...


class Backbone(Plugin[FeatureExtractor]):
    """What a file of this folder calls PLUGIN."""


FEATURES = Registry(__name__, Backbone)
