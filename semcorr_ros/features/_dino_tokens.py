"""DINOv2 as sd-dino, GeoAware-SC and SphericalMaps use it: raw tokens of the last block."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from semcorr_ros.features._vision_transformer import patch_size
from semcorr_ros.weights.networks import load_network

CLASSES = {"dinov2": "Dinov2Model", "dinov2_with_registers": "Dinov2WithRegistersModel"}
HUB_OFFSET = 0.1  # cells that the authors' code adds to the grid it resamples to


def load_published(folder: Path, precision: str, device: str) -> Any:
    """Load a DINOv2 without registers, with the output adapters were trained on. Raises as load_network."""
    network = load_network(folder, {"dinov2": CLASSES["dinov2"]}, device, precision)
    skip_final_norm(network)
    use_hub_positions(network)
    return network


def skip_final_norm(network: Any) -> None:
    """Make `last_hidden_state` the raw output of the last block."""
    network.layernorm = nn.Identity()


def use_hub_positions(network: Any) -> None:
    """Resample position embeddings as the authors' code does for models without registers."""
    embeddings = network.embeddings
    learned, patch = embeddings.position_embeddings, patch_size(network)
    embeddings.interpolate_pos_encoding = partial(hub_positions, learned, patch)


def hub_positions(
    learned: Float[Tensor, "1 positions channel"],
    patch: int,
    tokens: Float[Tensor, "batch any channel"],
    height: int,
    width: int,
) -> Float[Tensor, "1 patches channel"]:
    """Resample position embeddings to an image of (height, width) pixels, class token first.

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
