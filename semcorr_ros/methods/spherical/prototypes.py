"""The prototypes of Spherical Maps; names of their parameters are those of the authors' checkpoint."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from semcorr_ros.features._sphere_mapper import Mlp

DEPTH = 2  # passes through the block


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
        """Reconstruct the features of points of categories, given by index."""
        x = self.proj(spheres)
        one_hot = functional.one_hot(category, self.categories).to(x)
        for block in self.blocks:
            x = block(x, one_hot)
        return x
