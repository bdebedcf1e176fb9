"""Layers of a diffusion network's decoder, and no more of the network than they need.

What sd-dino and GeoAware-SC record: the input of every third decoder block before the skip connection
joins it, i.e. the output of the second of a resolution's three blocks.

| layer | in diffusers, the output of | channels | pixels per cell |
|---|---|---|---|
| s5 | up_blocks[0].resnets[1] | 1280 | 64 |
| s4 | up_blocks[1].attentions[1] | 1280 | 32 |
| s3 | up_blocks[2].attentions[1] | 640 | 16 |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

LAYERS = ("s5", "s4", "s3")  # in the order they are computed


@dataclass(frozen=True)
class FreeU:
    """Backbone against skip connections (Si et al., CVPR 2024), with the rule and values of GeoAware-SC.

    The rule goes by channels: what is as wide as the widest part takes `wide`, what is as wide as the
    second resolution takes `narrow`. diffusers' `enable_freeu` goes by resolution and is another network.
    """

    wide: tuple[float, float] = (1.2, 0.9)  # of the backbone's first half, of the skip's low frequencies
    narrow: tuple[float, float] = (1.4, 0.2)
    record_scaled: bool = True  # the authors scale in place what they have just recorded


def layers(
    unet: Any,
    latents: Float[Tensor, "batch 4 height width"],
    timestep: int,
    text: Float[Tensor, "batch token channel"],
    freeu: FreeU | None = None,
) -> dict[str, Float[Tensor, "batch channel h w"]]:
    """Run a diffusers UNet2DConditionModel as far as s3; returns s5, s4, s3."""
    time = unet.time_embedding(unet.get_time_embed(sample=latents, timestep=timestep))
    hidden, skips = _encode(unet, latents, time, text)
    found = {}
    for name, block in zip(LAYERS, unet.up_blocks, strict=False):
        attentions = getattr(block, "attentions", [None] * len(block.resnets))
        for index, (resnet, attention) in enumerate(zip(block.resnets, attentions, strict=True)):
            skip = skips.pop()
            if index == 2:
                found[name] = hidden
            if freeu:
                hidden, skip = _reweigh(hidden, skip, freeu, unet.config.block_out_channels)
                if index == 2 and freeu.record_scaled:
                    found[name] = hidden
            if len(found) == len(LAYERS):
                return found
            hidden = resnet(torch.cat([hidden, skip], dim=1), time)
            if attention is not None:
                hidden = attention(hidden, encoder_hidden_states=text, return_dict=False)[0]
        for upsampler in block.upsamplers:
            hidden = upsampler(hidden)
    raise ValueError(f"a UNet with {len(unet.up_blocks)} resolutions has no layers {', '.join(LAYERS)}")


def trim(unet: Any) -> None:
    """Drop the blocks behind s3: a third of the work, a twentieth of the weights of Stable Diffusion 1.5."""
    last = unet.up_blocks[2]
    del unet.up_blocks[3:]
    last.resnets[2], last.attentions[2] = nn.Identity(), nn.Identity()
    last.upsamplers = unet.conv_norm_out = unet.conv_out = None


def _encode(unet: Any, latents: Tensor, time: Tensor, text: Tensor) -> tuple[Tensor, list[Tensor]]:
    hidden = unet.conv_in(latents)
    skips = [hidden]
    for block in unet.down_blocks:
        if getattr(block, "has_cross_attention", False):
            hidden, kept = block(hidden, temb=time, encoder_hidden_states=text)
        else:
            hidden, kept = block(hidden, temb=time)
        skips += kept
    return unet.mid_block(hidden, time, encoder_hidden_states=text), skips


def _reweigh(
    hidden: Tensor, skip: Tensor, freeu: FreeU, widths: Sequence[int]
) -> tuple[Float[Tensor, "batch channel h w"], Float[Tensor, "batch skip h w"]]:
    pairs = {widths[1]: freeu.narrow, widths[-1]: freeu.wide}
    if hidden.shape[1] not in pairs:
        return hidden, skip
    backbone, low = pairs[hidden.shape[1]]
    first, second = hidden.chunk(2, dim=1)
    return torch.cat([first * backbone, second], dim=1), scale_low_frequencies(skip, low)


def scale_low_frequencies(
    values: Float[Tensor, "batch channel h w"], factor: float
) -> Float[Tensor, "batch channel h w"]:
    """Multiply the mean and the slowest wave (of one direction only, like the authors) along each axis."""
    spectrum = torch.fft.fft2(values.float())  # half precision has no transform of every size
    mask = torch.ones(values.shape[-2:], device=values.device)
    low = torch.tensor([-1, 0], device=values.device)
    mask[low[:, None], low] = factor
    return torch.fft.ifft2(spectrum * mask).real.to(values.dtype)
