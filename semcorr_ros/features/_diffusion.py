"""Layers of Stable Diffusion 1.x for images: one noisy pass, no denoising loop, the same noise every time.

As in sd-dino and GeoAware-SC, but for one thing: they replace the prompt by ODISE's image captioner, whose
weights are not part of Stable Diffusion. Here it is a text, by default empty: by how much numbers differ from
published ones was never measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

from semcorr_ros.features import ImageRef
from semcorr_ros.features._canvas import normalized
from semcorr_ros.features._diffusion_folder import embed, load_scheduler, load_unet, load_vae
from semcorr_ros.features._letterboxed import letterboxes
from semcorr_ros.features._tiles import STEP, Tiling, cut, put_together, tiling
from semcorr_ros.features._unet_taps import FreeU, layers
from semcorr_ros.weights.networks import PRECISIONS, check_choice

CELL = 16  # pixels per cell of s3, the finest layer
NOISE_SEED = 42  # the authors'
AT_ONCE = 4  # tiles in one pass: those of one image
HALF = (0.5, 0.5, 0.5)  # the autoencoder takes -1 to 1
CATEGORY = "{category}"
NAMES = ("s3", "s4", "s5")  # in the order of channels that published files and adapters have

Layers = dict[str, Float[Tensor, "batch channel h w"]]


@dataclass(frozen=True)
class Settings:
    """What the features depend on besides weights. `{category}` in `prompt` is replaced by the image's."""

    timestep: int
    prompt: str = ""
    freeu: FreeU | None = None
    side: int = 960  # of the letterbox, pixels


class Diffusion:
    """The parts of Stable Diffusion that lead to s3, s4 and s5."""

    def __init__(self, folder: Path, settings: Settings, precision: str, device: str) -> None:
        """Raises FileNotFoundError or ValueError naming the part of the folder, or the setting."""
        check_choice("precision", precision, PRECISIONS)
        if settings.side < STEP or settings.side % STEP:
            raise ValueError(f"side must be a multiple of {STEP} pixels, got {settings.side}")
        self.settings = settings
        self._folder, self._precision, self._device = folder, precision, device
        self._scheduler = load_scheduler(folder)
        steps = self._scheduler.config.num_train_timesteps
        if not 0 <= settings.timestep < steps:
            raise ValueError(f"timestep must be from 0 to {steps - 1}, got {settings.timestep}")
        self._texts: dict[str, Tensor] = {}
        self._text(settings.prompt)  # fails now, not at the first image
        self._unet = load_unet(folder, precision, device)
        self._vae = load_vae(folder, precision, device)

    @torch.inference_mode()
    def layers(self, refs: Sequence[ImageRef]) -> Layers:
        """Compute s3, s4, s5 of letterboxed images, float32 on the device; cells of 16, 32, 64 pixels.

        Raises ValueError for an image that is not RGB uint8, or lacks the category that the prompt names.
        """
        side = self.settings.side
        tiles = tiling((side, side))
        canvases = normalized(letterboxes(refs, side).to(self._device), HALF, HALF)
        pixels = cut(canvases, tiles).flatten(0, 1)
        prompts = torch.cat([self._text(self._prompt(ref)) for ref in refs])
        texts = prompts.repeat_interleave(len(tiles.corners), dim=0)
        passes = [self._pass(*some) for some in zip(pixels.split(AT_ONCE), texts.split(AT_ONCE), strict=True)]
        return {name: _assemble([one[name] for one in passes], tiles) for name in NAMES}

    def _pass(self, pixels: Float[Tensor, "tile 3 h w"], text: Float[Tensor, "tile token width"]) -> Layers:
        dtype, timestep = PRECISIONS[self._precision], self.settings.timestep
        # The mean, not a sample: the same image gives the same features.
        mean = self._vae.encode(pixels.to(dtype)).latent_dist.mean.float()
        latents = mean * self._vae.config.scaling_factor
        noise = fixed_noise(latents.shape[-2], latents.shape[-1]).to(self._device).expand_as(latents)
        noisy = self._scheduler.add_noise(latents, noise, torch.tensor([timestep], device=self._device))
        return layers(self._unet, noisy.to(dtype), timestep, text, self.settings.freeu)

    def _prompt(self, ref: ImageRef) -> str:
        prompt = self.settings.prompt
        if CATEGORY in prompt and not ref.category:
            raise ValueError(f"prompt {prompt!r} needs the category of the image, which is not known here")
        return prompt.replace(CATEGORY, ref.category.replace("_", " "))

    def _text(self, prompt: str) -> Float[Tensor, "1 token width"]:
        if prompt not in self._texts:
            self._texts[prompt] = embed(prompt, self._folder, self._precision, self._device)
        return self._texts[prompt]


def on_finest_cells(found: Layers) -> list[Float[Tensor, "batch channel h w"]]:
    """Resample s3, s4 and s5, in this order, to the cells of s3."""
    cells = found["s3"].shape[-2:]
    return [interpolate(found[name], size=cells, mode="bilinear", align_corners=False) for name in NAMES]


@cache
def fixed_noise(height: int, width: int) -> Float[Tensor, "1 4 height width"]:
    """Draw the noise for latents of this size; that of 64 x 64 is the authors'."""
    generator = torch.Generator().manual_seed(NOISE_SEED)
    return torch.randn(1, 4, height, width, generator=generator)


def _assemble(
    parts: Sequence[Float[Tensor, "some channel h w"]], tiles: Tiling
) -> Float[Tensor, "batch channel rows columns"]:
    """Assemble the tiles of all images, one after the other, to whole layers."""
    by_image = torch.cat(list(parts)).float().unflatten(0, (-1, len(tiles.corners)))
    return torch.stack([put_together(list(own), tiles) for own in by_image])
