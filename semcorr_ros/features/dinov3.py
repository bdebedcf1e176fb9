"""DINOv3 (Siméoni et al., 2025): patches of 16 pixels, rotary positions, register tokens.

960 pixels give the 60 x 60 cells of the other backbones. Its weights are gated, under a licence of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from semcorr_ros import weights
from semcorr_ros.features import Backbone
from semcorr_ros.features._vision_transformer import TokenExtractor, patch_size, placer
from semcorr_ros.weights.fingerprint import fingerprint, model_files
from semcorr_ros.weights.networks import check_choice, load_network

SIZES = ("vits16", "vits16plus", "vitb16", "vitl16", "vith16plus", "vit7b16")
CLASSES = {"dinov3_vit": "DINOv3ViTModel"}
TOKENS = ("normed", "raw")


@dataclass(frozen=True)
class Dinov3Settings:
    """`weights` is a model folder, which then decides about the size; empty: looked up by `size`.

    tokens: "normed" after (as its authors evaluate dense features) or "raw" before the final layer norm.
    layout: "letterbox" or "unpadded", which saves the padding. side: longer side, pixels.
    """

    size: str = "vitb16"
    weights: str = ""
    tokens: str = "normed"
    layout: str = "letterbox"
    side: int = 960
    precision: str = "fp32"
    device: str = "cpu"


def build(config: Dinov3Settings) -> TokenExtractor:
    """Load the network. Raises FileNotFoundError for missing weights, ValueError naming a bad value,
    ImportError for a transformers older than 4.56."""
    check_choice("size", config.size, SIZES)
    check_choice("tokens", config.tokens, TOKENS)
    folder = weights.find(f"dinov3-{config.size}", config.weights)
    network = load_network(folder, CLASSES, config.device, config.precision)
    place = placer(config.layout, config.side, patch_size(network))
    if config.tokens == "raw":
        network.norm = nn.Identity()
    settings = {"tokens": config.tokens, "layout": config.layout, "side": config.side}
    digits = fingerprint(model_files(folder), settings)
    return TokenExtractor(network, f"dinov3:{digits}", place)


PLUGIN = Backbone(Dinov3Settings, build)
