"""DINOv2 (Oquab et al., TMLR 2024), with or without registers: the backbone for real cameras.

By default as in sd-dino, GeoAware-SC and SphericalMaps: image letterboxed to 840 pixels, 60 x 60 raw
tokens of the last block. Its features tell parts apart, and mostly not left from right.
"""

from __future__ import annotations

from dataclasses import dataclass

from semcorr_ros import weights
from semcorr_ros.features import Backbone
from semcorr_ros.features._dino_tokens import CLASSES, skip_final_norm, use_hub_positions
from semcorr_ros.features._vision_transformer import TokenExtractor, patch_size, placer
from semcorr_ros.weights.fingerprint import fingerprint, model_files
from semcorr_ros.weights.networks import check_choice, load_network

SIZES = ("small", "base", "large", "giant")
TOKENS = ("raw", "normed")
POSITIONS = ("hub", "hf")


@dataclass(frozen=True)
class Dinov2Settings:
    """`weights` is a model folder, which then decides about size and registers; empty: looked up by those.

    tokens: "raw" before or "normed" after the final layer norm. positions: position embeddings resampled
    as by the authors' hub code, or as by transformers ("hf"); one and the same with registers.
    layout: "letterbox" as published, or "unpadded", which saves the padding. side: longer side, pixels.
    """

    size: str = "base"
    registers: bool = False
    weights: str = ""
    tokens: str = "raw"
    positions: str = "hub"
    layout: str = "letterbox"
    side: int = 840
    precision: str = "fp32"
    device: str = "cpu"


def build(config: Dinov2Settings) -> TokenExtractor:
    """Load the network. Raises FileNotFoundError for missing weights, ValueError naming a bad value."""
    for name, choices in (("size", SIZES), ("tokens", TOKENS), ("positions", POSITIONS)):
        check_choice(name, getattr(config, name), choices)
    name = f"dinov2-{config.size}{'-registers' if config.registers else ''}"
    folder = weights.find(name, config.weights)
    network = load_network(folder, CLASSES, config.device, config.precision)
    place = placer(config.layout, config.side, patch_size(network))
    if config.tokens == "raw":
        skip_final_norm(network)
    positions = config.positions if network.config.model_type == "dinov2" else "hf"
    if positions == "hub":
        use_hub_positions(network)
    settings = {
        "tokens": config.tokens,
        "positions": positions,
        "layout": config.layout,
        "side": config.side,
    }
    digits = fingerprint(model_files(folder), settings)
    return TokenExtractor(network, f"dinov2:{digits}", place)


PLUGIN = Backbone(Dinov2Settings, build)
