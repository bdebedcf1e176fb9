"""The authors' checkpoint (VICO-UoE/SphericalMaps, `ckpts/200.pth`), read without running what it holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from semcorr_ros.features._sphere_mapper import HEAD, PREFIX, SphereMapper
from semcorr_ros.methods.spherical.config import published
from semcorr_ros.methods.spherical.prototypes import SpherePrototypes
from semcorr_ros.storage import read_torch

PROTOTYPES = "prototypes."
WIDEST = 4096  # of a mapper: half the channels of the largest backbones
FIRST = "sphere_mapper.0.weight"
CATEGORIES = "prototypes.blocks.0.attn.k.weight"


def read_published(path: str | Path) -> tuple[SphereMapper, SpherePrototypes | None]:
    """Read mapper and, if they are there, prototypes. Tensors may lie on any device.

    Raises FileNotFoundError, ValueError for a file of another kind or of other networks.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint {path}")
    state = _tensors(path, read_torch(path))
    if FIRST not in state or state[FIRST].ndim != 2 or not HEAD <= state[FIRST].shape[0] <= WIDEST:
        raise ValueError(f"{path} is no checkpoint of Spherical Maps: {FIRST} is missing or of another size")
    if state[FIRST].shape[1] != 2 * state[FIRST].shape[0]:
        raise ValueError(f"{path}: {FIRST} has shape {tuple(state[FIRST].shape)}, published are C/2 x C")
    mapper = SphereMapper(published(state[FIRST].shape[1]))
    _load(path, mapper, state, PREFIX)
    if CATEGORIES not in state:
        return mapper, None
    prototypes = SpherePrototypes(mapper.config.channels, state[CATEGORIES].shape[1])
    _load(path, prototypes, state, PROTOTYPES)
    return mapper, prototypes


def _tensors(path: Path, found: Any) -> dict[str, Tensor]:
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        raise ValueError(f"{path} holds no table of tensors but {type(found).__name__}")
    return {str(name): value.float() for name, value in found.items()}


def _load(path: Path, network: torch.nn.Module, state: dict[str, Tensor], prefix: str) -> None:
    own = {name.removeprefix(prefix): v for name, v in state.items() if name.startswith(prefix)}
    try:
        network.load_state_dict(own)
    except RuntimeError as error:
        raise ValueError(f"{path} does not fit the published networks: {error}") from error
    network.requires_grad_(False).eval()
