"""Another backbone's features with their place on the sphere appended (Spherical Maps): sides come apart.

`weights` is a file of `train_sphere`, whose backbone encodes. A class built on these features is aligned
with both: its prototypes know on which side of the object they are.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch.nn.functional import normalize

from semcorr_ros.artifacts import FeatureMap
from semcorr_ros.features import Backbone, FeatureExtractor, ImageRef
from semcorr_ros.features._below import backbone_below
from semcorr_ros.features._sphere_mapper import SphereMapper, map_sphere, read_mapper
from semcorr_ros.storage import read_tensors

METHOD = "spherical"


@dataclass(frozen=True)
class SphericalSettings:
    """alpha: share of the sphere in the similarity of two cells, as in matching."""

    weights: str = ""
    alpha: float = 0.2
    precision: str = "fp32"
    device: str = "cpu"


def build(config: SphericalSettings) -> SphericalExtractor:
    """Load mapper and backbone. Raises FileNotFoundError, ValueError naming the file or value."""
    if not config.weights:
        raise ValueError("the backbone 'spherical' needs --weights FILE, a file of train_sphere")
    if not 0 < config.alpha < 1:
        raise ValueError(f"alpha must be between 0 and 1, got {config.alpha}")
    path = Path(config.weights)
    tensors, header = read_tensors(path, config.device)
    if header.get("method") != METHOD:
        raise ValueError(f"{path} is no file of train_sphere, which --backbone spherical needs")
    try:
        mapper = read_mapper(tensors, header["head"], config.device)
        backbone, provenance = str(header["backbone"]), dict(header["provenance"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{path} is damaged: its header or tensors lack or garble {error}") from error
    common = {"device": config.device, "precision": config.precision}
    base = backbone_below(path, backbone, provenance, common)
    digits = hashlib.sha256(path.read_bytes() + f" {config.alpha}".encode()).hexdigest()[:12]
    return SphericalExtractor(base, mapper, config.alpha, f"spherical:{digits}")


PLUGIN = Backbone(SphericalSettings, build)


class SphericalExtractor(FeatureExtractor):
    """Encodes by another extractor, then maps."""

    def __init__(self, base: FeatureExtractor, mapper: SphereMapper, alpha: float, backbone: str) -> None:
        self.backbone, self.variant, self.origin = backbone, base.variant, base.origin
        self.from_pixels = base.from_pixels
        self._base, self._mapper, self._alpha = base, mapper, alpha

    def encode(self, ref: ImageRef) -> FeatureMap:
        """Encode one image. Raises as the backbone does."""
        return self.encode_batch([ref])[0]

    def encode_batch(self, refs: Sequence[ImageRef]) -> list[FeatureMap]:
        """Encode several images in one pass of the backbone."""
        return [self._with_sphere(features) for features in self._base.encode_batch(refs)]

    def _with_sphere(self, features: FeatureMap) -> FeatureMap:
        spheres = map_sphere(self._mapper, features)
        parts = math.sqrt(1 - self._alpha) * features.values, math.sqrt(self._alpha) * spheres
        values = normalize(torch.cat(parts, -1), dim=-1)
        return replace(features, values=values, backbone=self.backbone, lengths=None)
