"""Another backbone's features through an adapter of `train_adapter`: what they confuse comes apart.

`weights` is the adapter's file; the backbone that it was trained on encodes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from semcorr_ros.artifacts import FeatureMap
from semcorr_ros.features import Backbone, FeatureExtractor, ImageRef
from semcorr_ros.features._adapter_network import Adapter, adapt, read_adapter, split
from semcorr_ros.features._below import backbone_below


@dataclass(frozen=True)
class AdapterSettings:
    """weights: a file of `train_adapter`."""

    weights: str = ""
    precision: str = "fp32"
    device: str = "cpu"


def build(config: AdapterSettings) -> AdapterExtractor:
    """Load adapter and backbone. Raises FileNotFoundError, ValueError naming the file or value."""
    if not config.weights:
        raise ValueError("the backbone 'adapter' needs --weights FILE, a file of train_adapter")
    path = Path(config.weights)
    adapter = read_adapter(path, config.device)
    common = {"device": config.device, "precision": config.precision}
    below = backbone_below(path, adapter.backbone, adapter.provenance, common)
    return AdapterExtractor(below, adapter, hashlib.sha256(path.read_bytes()).hexdigest()[:12])


PLUGIN = Backbone(AdapterSettings, build)


class AdapterExtractor(FeatureExtractor):
    """Encodes by another extractor, then adapts, in float32 whatever the backbone's precision."""

    def __init__(self, below: FeatureExtractor, adapter: Adapter, digits: str) -> None:
        self.backbone = f"adapter:{digits}"
        self.variant, self.origin, self.from_pixels = below.variant, below.origin, below.from_pixels
        self._below, self._network = below, adapter.network

    def encode(self, ref: ImageRef) -> FeatureMap:
        """Encode one image. Raises as the backbone does."""
        return self.encode_batch([ref])[0]

    def encode_batch(self, refs: Sequence[ImageRef]) -> list[FeatureMap]:
        """Encode several images in one pass of the backbone."""
        return [self._adapted(features) for features in self._below.encode_batch(refs)]

    @torch.no_grad()
    def _adapted(self, features: FeatureMap) -> FeatureMap:
        values = adapt(self._network, split(features.values.float(), self._network.channels))
        return replace(features, values=values.contiguous(), backbone=self.backbone, lengths=None)
