"""GeoAware-SC (Zhang et al., CVPR 2024): an adapter that learned to tell left from right.

`variant=full` joins Stable Diffusion and DINOv2 as SemAlign3D does; `variant=dino` takes DINOv2 alone, with
the adapter of DIY-SC: 768 channels in a fraction of the time, for robots. Image, layers and tokens are
prepared as for published adapters (t = 50, FreeU, no PCA), but for the prompt: `full` was trained with that
of ODISE's captioner and gets an empty one, see `_diffusion`. What this costs was never measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from semcorr_ros import weights
from semcorr_ros.features import Backbone, ImageRef
from semcorr_ros.features._aggregation import AggregationNetwork, load_aggregation
from semcorr_ros.features._diffusion import CELL
from semcorr_ros.features._diffusion_dino import dino_map, load_networks, maps
from semcorr_ros.features._dino_tokens import load_published
from semcorr_ros.features._letterboxed import LetterboxedExtractor
from semcorr_ros.weights.fingerprint import fingerprint, model_files
from semcorr_ros.weights.networks import check_choice

# Name of the adapter in the weights manifest, and how many maps it joins.
VARIANTS = {"full": ("geoaware-sd-dino", 4), "dino": ("geoaware-dino", 1)}


@dataclass(frozen=True)
class GeoAwareSettings:
    """`weights` is the adapter, a file; the others are folders in the hub's layout; empty: looked up.

    timestep, prompt, freeu, freeu_recorded, side: see `stable_diffusion`; of these only side matters to
    variant=dino. Other values than the defaults do not suit published adapters.
    """

    variant: str = "full"
    weights: str = ""
    diffusion_weights: str = ""
    dino_weights: str = ""
    timestep: int = 50
    prompt: str = ""
    freeu: bool = True
    freeu_recorded: bool = True
    side: int = 960
    precision: str = "fp32"
    device: str = "cpu"


def build(config: GeoAwareSettings) -> LetterboxedExtractor:
    """Load the networks. Raises FileNotFoundError for missing weights, ValueError naming a bad value."""
    check_choice("variant", config.variant, VARIANTS)
    name, count = VARIANTS[config.variant]
    path = weights.find(name, config.weights)
    adapter = load_aggregation(path).to(config.device)
    if len(adapter.channels) != count:
        raise ValueError(f"{path} joins {len(adapter.channels)} maps, variant {config.variant!r} has {count}")
    return (_full if config.variant == "full" else _dino_only)(config, path, adapter)


PLUGIN = Backbone(GeoAwareSettings, build)


def _full(config: GeoAwareSettings, path: Path, adapter: AggregationNetwork) -> LetterboxedExtractor:
    networks = load_networks(config)

    def describe(refs: Sequence[ImageRef]) -> Float[Tensor, "batch h w channel"]:
        return _adapted(adapter, maps(networks.layers(refs)))

    return LetterboxedExtractor(f"geoaware:{networks.fingerprint([path])}", config.precision, describe)


def _dino_only(config: GeoAwareSettings, path: Path, adapter: AggregationNetwork) -> LetterboxedExtractor:
    folder = weights.find("dinov2-base", config.dino_weights)
    network = load_published(folder, config.precision, config.device)

    def describe(refs: Sequence[ImageRef]) -> Float[Tensor, "batch h w channel"]:
        return _adapted(adapter, [dino_map(network, refs, config.side // CELL)])

    digits = fingerprint([*model_files(folder), path], {"side": config.side})
    return LetterboxedExtractor(f"geoaware:{digits}", config.precision, describe)


@torch.inference_mode()
def _adapted(adapter: AggregationNetwork, maps: Sequence[Tensor]) -> Float[Tensor, "batch h w channel"]:
    """Apply the adapter in float32 whatever the backbone's precision: it is a hundredth of the work."""
    return normalize(adapter(maps), dim=1).permute(0, 2, 3, 1)
