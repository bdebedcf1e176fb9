"""Stable Diffusion and DINOv2 together (Zhang et al., "A Tale of Two Features", NeurIPS 2023).

What one confuses the other tells apart, without any training. Both halves have equal say: each is of unit
length before they are joined. By default 3200 + 768 channels; sd-dino itself reduces the first half for
every pair of images anew, which only a benchmark of pairs can use (`reduction=pair`).
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from semcorr_ros.artifacts import FeatureMap
from semcorr_ros.features import Backbone, ImageRef
from semcorr_ros.features._diffusion import Layers
from semcorr_ros.features._diffusion_dino import DINO, DiffusionDino, load_networks, maps
from semcorr_ros.features._letterboxed import LetterboxedExtractor, without_padding
from semcorr_ros.features._pair_reduction import reduce_together
from semcorr_ros.weights.networks import check_choice

REDUCTIONS = ("none", "pair")
REMEMBERED = 32  # images whose layers a benchmark of pairs keeps: 0.8 GB


@dataclass(frozen=True)
class SdDinoSettings:
    """Folders in the hub's layout; empty: looked up. DINOv2 base unless another folder is given.

    reduction: "none", or "pair" for sd-dino's co-PCA where a benchmark compares two images. timestep,
    prompt, freeu, freeu_recorded, side: see `stable_diffusion`; timestep=50 freeu=true is the zero-shot
    baseline of GeoAware-SC.
    """

    diffusion_weights: str = ""
    dino_weights: str = ""
    reduction: str = "none"
    timestep: int = 100
    prompt: str = ""
    freeu: bool = False
    freeu_recorded: bool = True
    side: int = 960
    precision: str = "fp32"
    device: str = "cpu"


def build(config: SdDinoSettings) -> LetterboxedExtractor:
    """Load both networks. Raises FileNotFoundError for missing weights, ValueError naming a bad value."""
    check_choice("reduction", config.reduction, REDUCTIONS)
    networks = load_networks(config)
    backbone = f"sd_dino:{networks.fingerprint(reduction=config.reduction)}"
    if config.reduction == "pair":
        return PairExtractor(backbone, config.precision, networks)
    return LetterboxedExtractor(backbone, config.precision, lambda refs: concatenated(networks.layers(refs)))


PLUGIN = Backbone(SdDinoSettings, build)


class PairExtractor(LetterboxedExtractor):
    """`encode_pair` is what it is for; `encode` gives the concatenation, which needs no partner.

    Neither a part of an image nor a cached map can be reduced together with another image's.
    """

    from_pixels = False

    def __init__(self, backbone: str, variant: str, networks: DiffusionDino) -> None:
        super().__init__(backbone, variant, lambda refs: concatenated(self._layers(refs)))
        self._networks = networks
        self._memory: OrderedDict[bytes, Layers] = OrderedDict()

    def encode_pair(self, source: ImageRef, target: ImageRef) -> tuple[FeatureMap, FeatureMap]:
        """Encode two images in a joint PCA basis. Raises as `encode` does."""
        layers = self._layers((source, target))
        halves = normalize(reduce_together(layers), dim=1), normalize(layers[DINO], dim=1)
        cells = _joined(halves)
        return (
            without_padding(cells[0], source, self.backbone),
            without_padding(cells[1], target, self.backbone),
        )

    def _layers(self, refs: Sequence[ImageRef]) -> Layers:
        """Compute layers image by image: a benchmark asks for each many times, with another partner."""
        each = [self._remembered(ref) for ref in refs]
        return {name: torch.cat([layers[name] for layers in each]) for name in each[0]}

    def _remembered(self, ref: ImageRef) -> Layers:
        image = ref.image.cpu().contiguous()
        key = hashlib.sha256(f"{ref.category}{image.shape}".encode() + image.numpy().tobytes()).digest()
        if key not in self._memory:
            self._memory[key] = self._networks.layers([ref])
            while len(self._memory) > REMEMBERED:
                self._memory.popitem(last=False)
        self._memory.move_to_end(key)
        return self._memory[key]


def concatenated(layers: Layers) -> Float[Tensor, "batch h w channel"]:
    """Concatenate s3, s4, s5, DINOv2, unreduced, on the cells of s3."""
    *diffusion, dino = maps(layers)
    return _joined((normalize(torch.cat(diffusion, dim=1), dim=1), normalize(dino, dim=1)))


def _joined(halves: tuple[Tensor, Tensor]) -> Float[Tensor, "batch h w channel"]:
    return normalize(torch.cat(halves, dim=1), dim=1).permute(0, 2, 3, 1)
