"""The two networks of Spherical Maps; names of their parameters are those of the authors' checkpoint."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from semcorr_ros.methods.spherical.config import HeadConfig

EXPANSION = 4  # of the channels inside an MLP
DEPTH = 2  # passes through the prototypes' block


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


class SharedAttention(nn.Module):
    """Cross-attention to one token.

    Its weight is 1 whatever the query is, so queries and keys are kept for the checkpoint alone.
    """

    def __init__(self, channels: int, categories: int) -> None:
        super().__init__()
        self.q = nn.Linear(channels, channels, bias=False)
        self.k = nn.Linear(categories, channels, bias=False)
        self.v = nn.Linear(categories, channels, bias=False)
        self.proj = nn.Linear(channels, channels)

    def forward(self, category: Float[Tensor, "point category"]) -> Float[Tensor, "point channel"]:
        return self.proj(self.v(category))


class PrototypeBlock(nn.Module):
    """One pass: the category's offset, then an MLP per point."""

    def __init__(self, channels: int, categories: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.attn = SharedAttention(channels, categories)
        self.mlp = Mlp(channels)

    def forward(
        self, x: Float[Tensor, "point channel"], category: Float[Tensor, "point category"]
    ) -> Float[Tensor, "point channel"]:
        x = x + self.attn(category)
        return x + self.mlp(self.norm2(x))


class SpherePrototypes(nn.Module):
    """S_Z: points of the sphere and their category to features (Section 3.2)."""

    def __init__(self, channels: int, categories: int) -> None:
        super().__init__()
        self.categories = categories
        self.proj = nn.Linear(3, channels)
        block = PrototypeBlock(channels, categories)
        self.blocks = nn.ModuleList([block] * DEPTH)  # one module, twice in the checkpoint

    def forward(self, spheres: Float[Tensor, "point 3"], category: Tensor) -> Float[Tensor, "point channel"]:
        """Reconstruct the features of points; category: (point,) indices."""
        x = self.proj(spheres)
        one_hot = functional.one_hot(category, self.categories).to(x)
        for block in self.blocks:
            x = block(x, one_hot)
        return x


def wave_channels(waves: int) -> int:
    """Count the numbers that `positions` gives a token."""
    return 2 + 4 * waves if waves else 0


def positions(h: int, w: int, waves: int) -> Float[Tensor, "token place"]:
    """Describe where tokens lie: x and y in [-1, 1], and sines and cosines of them."""
    y, x = ((torch.arange(n) + 0.5) / n * 2 - 1 for n in (h, w))
    places = torch.stack(torch.meshgrid(y, x, indexing="ij"), -1).reshape(-1, 2)
    angles = (places[:, None] * (math.pi / 2 * 2.0 ** torch.arange(waves))[:, None]).flatten(1)
    return torch.cat([places, angles.sin(), angles.cos()], -1)


def parameter_count(network: nn.Module) -> int:
    """Count parameters, shared ones once."""
    return sum(parameter.numel() for parameter in network.parameters())
