"""The network of the `tiny` backbone: a residual encoder with attention at the bottom and a
feature-pyramid decoder back to a quarter of the input size, about 1.9 M parameters."""

from __future__ import annotations

import copy

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

STRIDE = 4
CHANNELS = 64
WIDTHS = (64, 96, 144)


class ConvUnit(nn.Module):
    """Convolution and batch norm; a plain convolution with the same effect when `folded`.

    Strides go with even kernels, so that every output stays centred on the inputs it replaces.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, folded: bool = False):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, (kernel - stride + 1) // 2, bias=folded)
        self.norm: nn.Module = nn.Identity() if folded else nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x))


class ResidualBlock(nn.Module):
    """Two 3x3 units around a shortcut."""

    def __init__(self, width: int, folded: bool):
        super().__init__()
        self.first = ConvUnit(width, width, folded=folded)
        self.second = ConvUnit(width, width, folded=folded)
        if not folded:
            nn.init.zeros_(self.second.norm.weight)  # type: ignore[arg-type]  # starts as the identity

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.second(torch.relu(self.first(x))))


class AttentionBlock(nn.Module):
    """Self-attention over all cells: where a part is depends on where the other parts are."""

    def __init__(self, width: int, heads: int = 4):
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.position = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.to_qkv = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)
        nn.init.zeros_(self.project.weight)

    def forward(self, x: Tensor) -> Tensor:
        batch, width, height, columns = x.shape
        tokens = (x + self.position(x)).flatten(2).transpose(1, 2)  # (B, cells, width)
        qkv = self.to_qkv(self.norm(tokens)).unflatten(-1, (3, self.heads, width // self.heads))
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # (B, heads, cells, width / heads) each
        mixed = functional.scaled_dot_product_attention(q, k, v)
        out = tokens + self.project(mixed.transpose(1, 2).flatten(2))
        return out.transpose(1, 2).reshape(batch, width, height, columns)


class TinyNetwork(nn.Module):
    """RGB in [0, 1] to features (not normalized) on a grid of one cell per 4x4 input pixels."""

    def __init__(self, folded: bool = False):
        super().__init__()
        fine, middle, coarse = WIDTHS
        self.stem = nn.ModuleList(
            [
                ConvUnit(3, 32, 4, 2, folded),
                ConvUnit(32, fine, 4, 2, folded),
            ]
        )
        self.fine = _blocks(fine, 1, folded)
        self.to_middle = ConvUnit(fine, middle, 4, 2, folded)
        self.middle = _blocks(middle, 2, folded)
        self.to_coarse = ConvUnit(middle, coarse, 4, 2, folded)
        self.coarse = nn.Sequential(
            ResidualBlock(coarse, folded),
            AttentionBlock(coarse),
            ResidualBlock(coarse, folded),
            AttentionBlock(coarse),
        )
        self.coarse_to_middle = nn.Conv2d(coarse, middle, 1)
        self.middle_up = _blocks(middle, 1, folded)
        self.middle_to_fine = nn.Conv2d(middle, fine, 1)
        self.fine_up = _blocks(fine, 1, folded)
        self.head = nn.Conv2d(fine, CHANNELS, 1)

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch channel h w"]:
        """Compute features; height and width must be multiples of 16."""
        x = (images - 0.45) / 0.25
        for unit in self.stem:
            x = torch.relu(unit(x))
        fine = self.fine(x)
        middle = self.middle(torch.relu(self.to_middle(fine)))
        coarse = self.coarse(torch.relu(self.to_coarse(middle)))
        middle = self.middle_up(torch.relu(middle + _upsample(self.coarse_to_middle(coarse), middle)))
        fine = self.fine_up(torch.relu(fine + _upsample(self.middle_to_fine(middle), fine)))
        return self.head(fine)


def fold(network: TinyNetwork) -> TinyNetwork:
    """Copy the network, in evaluation mode, every batch norm folded into its convolution."""
    network = copy.deepcopy(network).eval()
    folded = TinyNetwork(folded=True).eval()
    units = dict(network.named_modules())
    state = {key: value for key, value in network.state_dict().items() if key in folded.state_dict()}
    for name, unit in units.items():
        if isinstance(unit, ConvUnit) and isinstance(unit.norm, nn.BatchNorm2d):
            fused = fuse_conv_bn_eval(unit.conv, unit.norm)
            state[f"{name}.conv.weight"] = fused.weight
            state[f"{name}.conv.bias"] = fused.bias
    folded.load_state_dict(state)
    return folded


def _blocks(width: int, count: int, folded: bool) -> nn.Sequential:
    return nn.Sequential(*[ResidualBlock(width, folded) for _ in range(count)])


def _upsample(x: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)
