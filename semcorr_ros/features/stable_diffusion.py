"""Stable Diffusion 1.5 as a backbone (Tang et al., Zhang et al., NeurIPS 2023): 3200 channels, slow.

The decoder's layers s3, s4 and s5 of one pass over the noisy image, on a letterbox of 960 pixels as in
sd-dino and GeoAware-SC. Its features are smooth and know the layout of objects; DINOv2's are more precise:
see `sd_dino`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from semcorr_ros import weights
from semcorr_ros.features import Backbone, ImageRef
from semcorr_ros.features._diffusion import Diffusion, Settings, on_finest_cells
from semcorr_ros.features._diffusion_folder import weight_files
from semcorr_ros.features._letterboxed import LetterboxedExtractor
from semcorr_ros.features._unet_taps import FreeU
from semcorr_ros.weights.fingerprint import fingerprint


@dataclass(frozen=True)
class StableDiffusionSettings:
    """`weights`: a folder in the hub's layout; empty: looked up.

    timestep: noise of the image, 100 as in sd-dino or 50 as in GeoAware-SC, of 1000. prompt: may contain
    {category}, as in "a photo of a {category}". freeu: as in GeoAware-SC, which also records layers scaled
    (freeu_recorded). side: of the letterbox, a multiple of 64 pixels.
    """

    weights: str = ""
    timestep: int = 100
    prompt: str = ""
    freeu: bool = False
    freeu_recorded: bool = True
    side: int = 960
    precision: str = "fp32"
    device: str = "cpu"


def build(config: StableDiffusionSettings) -> LetterboxedExtractor:
    """Load the networks. Raises FileNotFoundError for missing weights, ValueError naming a bad value."""
    folder = weights.find("stable-diffusion-1-5", config.weights)
    freeu = FreeU(record_scaled=config.freeu_recorded) if config.freeu else None
    settings = Settings(config.timestep, config.prompt, freeu, config.side)
    diffusion = Diffusion(folder, settings, config.precision, config.device)

    def describe(refs: Sequence[ImageRef]) -> Float[Tensor, "batch h w channel"]:
        maps = torch.cat(on_finest_cells(diffusion.layers(refs)), dim=1)
        return normalize(maps, dim=1).permute(0, 2, 3, 1)

    digits = fingerprint(weight_files(folder), asdict(settings))
    return LetterboxedExtractor(f"stable_diffusion:{digits}", config.precision, describe)


PLUGIN = Backbone(StableDiffusionSettings, build)
