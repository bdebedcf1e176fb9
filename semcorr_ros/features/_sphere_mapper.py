"""The mapper of Spherical Maps (Mariotti et al., CVPR 2024): a light network on top of a frozen backbone.

Names of its parameters are those of the authors' checkpoint. It is here and not with its method because
maps of the sphere are features as well: see `spherical`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from semcorr_ros.artifacts import FeatureMap
from semcorr_ros.errors import BackboneMismatchError

HEAD = 64  # channels of an attention head, as published
EXPANSION = 4  # of the channels inside an MLP
INPUTS = ("unit", "raw")
PREFIX = "sphere_mapper."  # of its parameters, as in the authors' checkpoint
LARGEST = {"channels": 16384, "width": 8192, "waves": 16, "grid": 128}
RAW = (
    "the published mapper needs tokens of the length that the backbone gives them, and {} tells none: "
    "use --backbone dinov2"
)


@dataclass(frozen=True)
class HeadConfig:
    """Networks on top of a backbone (Spherical Maps, Section 3.2; the authors' release)."""

    channels: int  # of the backbone
    width: int  # of the mapper
    # Waves per axis that tell a token where it lies. Published: 0, as DINOv2's tokens know. Those of
    # convolutions do not, and without it a picture and its mirror image are the same set of tokens.
    waves: int = 2
    grid: int = 16  # tokens per side that the mapper is trained on; published: 32
    everywhere: bool = False  # True, published: matching maps every cell; else grid x grid, interpolated
    inputs: str = "unit"  # length of the tokens that go in; published: "raw", as the backbone gives them

    @property
    def heads(self) -> int:
        return self.width // HEAD


class Mlp(nn.Module):
    """Two layers with GELU between them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, EXPANSION * channels)
        self.fc2 = nn.Linear(EXPANSION * channels, channels)

    def forward(self, x: Float[Tensor, "*batch channel"]) -> Float[Tensor, "*batch channel"]:
        return self.fc2(functional.gelu(self.fc1(x)))


class SelfAttention(nn.Module):
    """Multi-head attention among the tokens of a picture."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(channels, 3 * channels, bias=False)
        self.proj = nn.Linear(channels, channels)

    def forward(self, x: Float[Tensor, "batch token channel"]) -> Float[Tensor, "batch token channel"]:
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(q, k, v)
        return self.proj(mixed.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Pre-norm transformer block."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.attn = SelfAttention(channels, heads)
        self.mlp = Mlp(channels)

    def forward(self, x: Float[Tensor, "batch token channel"]) -> Float[Tensor, "batch token channel"]:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class SphereMapper(nn.Sequential):
    """f_S: tokens of a picture to unit vectors, one each (Section 3.1)."""

    def __init__(self, config: HeadConfig) -> None:
        super().__init__(
            nn.Linear(config.channels + wave_channels(config.waves), config.width),
            nn.GELU(),
            Block(config.width, config.heads),
            nn.Linear(config.width, 3),
        )
        self.config = config

    def forward(self, tokens: Float[Tensor, "batch h w channel"]) -> Float[Tensor, "batch h w 3"]:
        """Map square or other grids of tokens, of the length that `config.inputs` says."""
        batch, h, w, _ = tokens.shape
        x = tokens.flatten(1, 2)
        if self.config.waves:
            places = positions(h, w, self.config.waves).to(tokens).expand(batch, -1, -1)
            x = torch.cat([x, places], -1)
        return functional.normalize(super().forward(x).float(), dim=-1).unflatten(1, (h, w))


def wave_channels(waves: int) -> int:
    """Count the numbers that `positions` gives a token."""
    return 2 + 4 * waves if waves else 0


def positions(h: int, w: int, waves: int) -> Float[Tensor, "token place"]:
    """Describe where tokens lie: x and y in [-1, 1], and sines and cosines of them."""
    y, x = ((torch.arange(n) + 0.5) / n * 2 - 1 for n in (h, w))
    places = torch.stack(torch.meshgrid(y, x, indexing="ij"), -1).reshape(-1, 2)
    angles = (places[:, None] * (math.pi / 2 * 2.0 ** torch.arange(waves))[:, None]).flatten(1)
    return torch.cat([places, angles.sin(), angles.cos()], -1)


def to_tokens(
    values: Float[Tensor, "batch h w channel"], side: int
) -> Float[Tensor, "batch side side channel"]:
    """Average unit-norm features over a square grid of tokens, unit norm again."""
    pooled = functional.adaptive_avg_pool2d(values.permute(0, 3, 1, 2), side).permute(0, 2, 3, 1)
    return functional.normalize(pooled, dim=-1)


def as_input(unit: Float[Tensor, "*batch channel"]) -> Float[Tensor, "*batch channel"]:
    """Scale unit vectors so that their numbers are about 1, as a linear layer wants its input."""
    return unit * math.sqrt(unit.shape[-1])


@torch.inference_mode()
def map_sphere(mapper: SphereMapper, features: FeatureMap) -> Float[Tensor, "h w 3"]:
    """Map every cell of a feature map to the unit sphere (f_S).

    Raises BackboneMismatchError for features without lengths, where the mapper was trained on such.
    """
    h, w, _ = features.values.shape
    head = mapper.config
    tokens = _tokens(head, features)
    spheres = mapper(tokens[None])
    if spheres.shape[1:3] == (h, w):
        return spheres[0]
    spread = functional.interpolate(spheres.permute(0, 3, 1, 2), (h, w), mode="bilinear", align_corners=False)
    return functional.normalize(spread[0].permute(1, 2, 0), dim=-1)


def _tokens(head: HeadConfig, features: FeatureMap) -> Float[Tensor, "h w channel"]:
    if head.inputs == "raw":
        if features.lengths is None:
            raise BackboneMismatchError(RAW.format(features.backbone))
        return features.values * features.lengths[..., None]
    if head.everywhere:
        return as_input(features.values)
    return as_input(to_tokens(features.values[None], head.grid)[0])


def read_mapper(tensors: Mapping[str, Tensor], head: Mapping[str, Any], device: str) -> SphereMapper:
    """Make the mapper of a class file from its tensors and what its header says of it. Raises ValueError."""
    mapper = SphereMapper(_checked(HeadConfig(**head)))
    own = {k.removeprefix(PREFIX): v for k, v in tensors.items() if k.startswith(PREFIX)}
    try:
        mapper.load_state_dict(own)
    except RuntimeError as error:
        raise ValueError(str(error)) from error
    return mapper.to(device).requires_grad_(False).eval()


def _checked(head: HeadConfig) -> HeadConfig:
    for name, most in LARGEST.items():
        if not 0 <= getattr(head, name) <= most:
            raise ValueError(f"{name} {getattr(head, name)!r}")
    if head.inputs not in INPUTS or head.grid < 1 or not head.heads or head.width % head.heads:
        raise ValueError(f"width {head.width!r}, inputs {head.inputs!r}")
    return head
