"""EfficientNet-Lite (Tan and Le, ICML 2019; Lite: TensorFlow, 2020) up to its last stage of stride 32.

Pictures have sides that are one more than a multiple of 32. For these TensorFlow's SAME padding, with which
the network was trained, is the same on both sides: the cells of every stage lie symmetrically in the
picture, the outer ones on its border pixels, and a mirrored picture gives mirrored maps. (For multiples of
32 it moves them 7.5 and 15.5 pixels to the right and down.)
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

STRIDE = 32  # of the last stage
# (blocks at depth 1, stride of the first) per stage; kernels and channels are those of the weights.
STAGES = ((1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2))
DEPTH = {0: 1.0, 2: 1.2}  # by size
TAPS = (3, 4, 5)  # stages whose outputs are features: strides 16, 16, 32
EPSILON = 1e-3  # of the batch norms
State = Mapping[str, Tensor]  # of the published network


class Convolution(nn.Module):
    """A convolution with its batch norm folded in."""

    def __init__(self, state: State, convolution: str, norm: str, stride: int = 1) -> None:
        super().__init__()
        gain = state[f"{norm}.weight"] / (state[f"{norm}.running_var"] + EPSILON).sqrt()
        self.kernel = _frozen(state[f"{convolution}.weight"] * gain[:, None, None, None])
        self.bias = _frozen(state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * gain)
        self.stride, self.padding = stride, self.kernel.shape[-1] // 2

    def forward(self, values: Float[Tensor, "batch c h w"]) -> Float[Tensor, "batch d y x"]:
        groups = values.shape[1] // self.kernel.shape[1]  # depthwise kernels see one channel each
        return functional.conv2d(values, self.kernel, self.bias, self.stride, self.padding, groups=groups)


class Block(nn.Module):
    """Inverted bottleneck: expand (all but the very first), depthwise, project; added to its input where
    the shapes are equal."""

    def __init__(self, state: State, name: str, stride: int) -> None:
        super().__init__()
        expands = f"{name}._expand_conv.weight" in state
        self.expand = Convolution(state, f"{name}._expand_conv", f"{name}._bn0") if expands else None
        self.depthwise = Convolution(state, f"{name}._depthwise_conv", f"{name}._bn1", stride)
        self.project = Convolution(state, f"{name}._project_conv", f"{name}._bn2")

    def forward(self, values: Float[Tensor, "batch c h w"]) -> Float[Tensor, "batch d y x"]:
        inner = values if self.expand is None else functional.relu6(self.expand(values))
        out = self.project(functional.relu6(self.depthwise(inner)))
        return out + values if out.shape == values.shape else out


class EfficientNetLite(nn.Module):
    """The taps of normalized pictures, less the mean that each channel has over ImageNet.

    That mean is in the weights: what a batch norm puts out has its bias as mean, and a stage's output is
    the sum of its blocks' last norms. Raises KeyError naming a tensor that `state` lacks.
    """

    def __init__(self, state: State, size: int) -> None:
        super().__init__()
        self.stem = Convolution(state, "_conv_stem", "_bn0", 2)
        self.stages, self.means = nn.ModuleList(), nn.ParameterList()
        start = 0
        for index, (blocks, stride) in enumerate(STAGES):
            count = blocks if index == 0 else math.ceil(DEPTH[size] * blocks)
            names = [f"_blocks.{number}" for number in range(start, start + count)]
            start += count
            strides = [stride] + [1] * (count - 1)
            stage = [Block(state, name, step) for name, step in zip(names, strides, strict=True)]
            self.stages.append(nn.Sequential(*stage))
            biases = torch.stack([state[f"{name}._bn2.bias"] for name in names])
            self.means.append(_frozen(biases.sum(0)))

    def forward(self, pixels: Float[Tensor, "batch 3 height width"]) -> list[Float[Tensor, "batch c h w"]]:
        values = functional.relu6(self.stem(pixels))
        found = []
        for index, stage in enumerate(self.stages):
            values = stage(values)
            if index in TAPS:
                found.append(values - self.means[index][:, None, None])
        return found


def _frozen(values: Tensor) -> nn.Parameter:
    return nn.Parameter(values, requires_grad=False)
