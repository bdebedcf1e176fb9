"""What the build reads of one annotated image, loaded only when its turn comes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Bool
from torch import Tensor

from semcorr_ros.artifacts import AnnotatedImage, DepthMap, FeatureMap


@dataclass(frozen=True)
class Sample:
    """One annotated image with its evidence."""

    annotated: AnnotatedImage
    features: FeatureMap
    depth: DepthMap
    mask: Bool[Tensor, "height width"]
    mirrored_features: FeatureMap | None = None  # encoded from the mirrored image


@dataclass(frozen=True)
class LazySample:
    """A name and how to load it; loading may raise FileNotFoundError or ValueError."""

    name: str
    load: Callable[[], Sample]
