"""Feature extractors: one backbone per file, found by name.

A backbone file defines a frozen `Config` and `build(config) -> FeatureExtractor`.
"""

from __future__ import annotations

from collections.abc import Sequence
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

    Optional attributes:
    `from_pixels` True: computes features from pixels, so that it can encode a part of an image (zoom.py)
    and its results can be cached; `variant`, text: what changes digits of the features but not what they
    mean, such as the precision; `origin`, text: where its weights are published, and their licence;
    `encode_batch`: see the function of that name; `encode_pair(source, target)`:
    features of two images that can be compared with each other only, which `evaluate` prefers.
    """

    backbone: str  # "<name>:<fingerprint>", written into class files; equal ones mean comparable features

    def encode(self, ref: ImageRef) -> FeatureMap:
        """Encode one image. Raises FileNotFoundError or ValueError naming the file or value."""
        ...


def encode_batch(extractor: FeatureExtractor, refs: Sequence[ImageRef]) -> list[FeatureMap]:
    """Encode several images: in one pass where the extractor can, else one after the other.

    The features are those of `encode`, up to rounding. Raises as `encode` does, for the whole batch.
    """
    together = getattr(extractor, "encode_batch", None)
    return [extractor.encode(ref) for ref in refs] if together is None else together(refs)
