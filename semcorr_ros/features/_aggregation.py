"""The network that GeoAware-SC (Zhang et al., CVPR 2024) trains on frozen features, and DIY-SC after it.

Written from the architecture's description; names and shapes of parameters are those of published files.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from semcorr_ros.storage import read_torch

GROUPS = 32  # of every group norm
# Only training reads these: a file without them is complete.
SCALES = {"logit_scale": math.log(1 / 0.07), "self_logit_scale": math.log(10)}


class AggregationNetwork(nn.Module):
    """Each source through a residual bottleneck to the same width, then their learned convex mix.

    With four sources of 640, 1280, 1280, 768 channels it has 5,150,214 parameters, with DINOv2's 768 alone
    628,995. What comes out is not negative.
    """

    def __init__(self, channels: Sequence[int], width: int = 768, narrow: int | None = None) -> None:
        super().__init__()
        self.channels = tuple(channels)
        narrow = narrow or width // 4
        blocks = [nn.Sequential(Bottleneck(count, narrow, width)) for count in channels]
        self.bottleneck_layers = nn.ModuleList(blocks)
        self.mixing_weights = nn.Parameter(torch.ones(len(blocks)))
        for name, value in SCALES.items():
            self.register_parameter(name, nn.Parameter(torch.tensor(value)))

    def forward(self, maps: Sequence[Float[Tensor, "batch channel h w"]]) -> Float[Tensor, "batch width h w"]:
        """Mix maps on the same cells, in the order of `channels`. Raises ValueError for other channels."""
        given = tuple(source.shape[1] for source in maps)
        if given != self.channels:
            raise ValueError(f"the adapter takes maps of {self.channels} channels, got {given}")
        shares = torch.softmax(self.mixing_weights, dim=0)
        described = [block(source) for block, source in zip(self.bottleneck_layers, maps, strict=True)]
        return torch.stack([share * one for share, one in zip(shares, described, strict=True)]).sum(0)


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1, and a shortcut which is a convolution only where the number of channels changes."""

    def __init__(self, channels: int, narrow: int, width: int) -> None:
        super().__init__()
        self.shortcut = ConvNorm(channels, width, 1) if channels != width else None
        self.conv1 = ConvNorm(channels, narrow, 1)
        self.conv2 = ConvNorm(narrow, narrow, 3)
        self.conv3 = ConvNorm(narrow, width, 1)

    def forward(self, source: Float[Tensor, "batch channel h w"]) -> Float[Tensor, "batch width h w"]:
        """Apply the bottleneck; the result is not negative."""
        inner = torch.relu(self.conv2(torch.relu(self.conv1(source))))
        return torch.relu(self.conv3(inner) + (source if self.shortcut is None else self.shortcut(source)))


class ConvNorm(nn.Conv2d):
    """A convolution whose norm is its child, which gives published parameters their names."""

    def __init__(self, channels: int, width: int, kernel: int) -> None:
        super().__init__(channels, width, kernel, padding=kernel // 2, bias=False)
        nn.init.kaiming_normal_(self.weight, mode="fan_out", nonlinearity="relu")
        self.norm = nn.GroupNorm(GROUPS, width)

    def forward(self, source: Float[Tensor, "batch channel h w"]) -> Float[Tensor, "batch width h w"]:
        """Convolve, then normalize."""
        return self.norm(super().forward(source))


def load_aggregation(path: Path) -> AggregationNetwork:
    """Load a network from a state dict (torch.save or safetensors); its sizes follow from the shapes.

    Raises FileNotFoundError, ValueError naming what does not fit.
    """
    state = _read(path)
    try:
        return network_of(state)
    except ValueError as error:
        raise ValueError(f"{path} is not a GeoAware-SC adapter: {error}") from error


def network_of(state: dict[str, Tensor]) -> AggregationNetwork:
    """Fill a network with its parameters; its sizes follow from their shapes. Raises ValueError."""
    try:
        weights = [state[f"bottleneck_layers.{i}.0.conv1.weight"] for i in range(_blocks(state))]
        width = len(state["bottleneck_layers.0.0.conv3.weight"])
        with torch.device("meta"):  # no random numbers for weights that are replaced
            network = AggregationNetwork([w.shape[1] for w in weights], width, len(weights[0]))
        scales = {name: torch.tensor(value) for name, value in SCALES.items()}
        network.load_state_dict(scales | state, assign=True)
    except (KeyError, IndexError, RuntimeError) as error:
        raise ValueError(str(error)) from error
    return network.eval().requires_grad_(False)


def _blocks(state: dict[str, Tensor]) -> int:
    return len({name.split(".")[1] for name in state if name.startswith("bottleneck_layers.")})


def _read(path: Path) -> dict[str, Tensor]:
    """Read tensors to the CPU without executing anything in the file."""
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    try:
        state = load_file(path) if path.suffix == ".safetensors" else read_torch(path)
    except SafetensorError as error:
        raise ValueError(f"{path} is not a tensor file that is safe to load: {error}") from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"{path} is not a GeoAware-SC adapter: it is no table of tensors")
    return {name: value.float() for name, value in state.items()}
