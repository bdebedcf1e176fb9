"""DINOv2 (Oquab et al., TMLR 2024), with or without registers: the backbone for real cameras.

By default as in sd-dino, GeoAware-SC and SphericalMaps: image letterboxed to 840 pixels, 60 x 60 raw
tokens of the last block. Its features tell parts apart, and mostly not left from right.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from semcorr_ros.features._fingerprint import fingerprint, model_files
from semcorr_ros.features._vision_transformer import (
    TokenExtractor,
    check_choice,
    find_folder,
    load_network,
    patch_size,
    placer,
)

SIZES = ("small", "base", "large", "giant")
CLASSES = {"dinov2": "Dinov2Model", "dinov2_with_registers": "Dinov2WithRegistersModel"}
TOKENS = ("raw", "normed")
POSITIONS = ("hub", "hf")
HUB_OFFSET = 0.1  # cells that the authors' code adds to the grid it resamples to


@dataclass(frozen=True)
class Config:
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


def build(config: Config) -> TokenExtractor:
    """Load the network. Raises FileNotFoundError for missing weights, ValueError naming a bad value."""
    for name, choices in (("size", SIZES), ("tokens", TOKENS), ("positions", POSITIONS)):
        check_choice(name, getattr(config, name), choices)
    name = f"dinov2-{config.size}{'-registers' if config.registers else ''}"
    folder = find_folder(name, config.weights)
    network = load_network(folder, CLASSES, config.precision, config.device)
    place = placer(config.layout, config.side, patch_size(network))
    if config.tokens == "raw":
        network.layernorm = nn.Identity()
    positions = config.positions if network.config.model_type == "dinov2" else "hf"
    if positions == "hub":
        embeddings = network.embeddings
        learned, patch = embeddings.position_embeddings, patch_size(network)
        embeddings.interpolate_pos_encoding = partial(hub_positions, learned, patch)
    settings = {
        "tokens": config.tokens,
        "positions": positions,
        "layout": config.layout,
        "side": config.side,
    }
    digits = fingerprint(model_files(folder), settings)
    return TokenExtractor(network, f"dinov2:{digits}", place)


def hub_positions(
    learned: Float[Tensor, "1 positions channel"],
    patch: int,
    tokens: Float[Tensor, "batch any channel"],
    height: int,
    width: int,
) -> Float[Tensor, "1 patches channel"]:
    """Position embeddings for an image of (height, width) pixels, class token first.

    As the authors' `interpolate_pos_encoding` of models without registers: bicubic, by a factor that is 0.1
    cells too large. What follows `patch` is the signature of transformers' method, which this replaces.
    """
    trained = round((learned.shape[1] - 1) ** 0.5)
    wanted = (height // patch, width // patch)
    if wanted == (trained, trained):
        return learned
    grid = learned[:, 1:].float().unflatten(1, (trained, trained)).permute(0, 3, 1, 2)
    factor = tuple((cells + HUB_OFFSET) / trained for cells in wanted)
    resampled = functional.interpolate(grid, scale_factor=factor, mode="bicubic", align_corners=False)
    spread = resampled.flatten(2).transpose(1, 2).to(learned.dtype)
    return torch.cat([learned[:, :1], spread], dim=1)
