"""Layers of Stable Diffusion and tokens of DINOv2 on the same cells; what `sd_dino` and `geoaware` share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from semcorr_ros import weights
from semcorr_ros.features import ImageRef
from semcorr_ros.features._diffusion import CELL, Diffusion, Layers, Settings, on_finest_cells
from semcorr_ros.features._diffusion_folder import weight_files
from semcorr_ros.features._dino_tokens import load_published
from semcorr_ros.features._letterboxed import letterboxes
from semcorr_ros.features._unet_taps import FreeU
from semcorr_ros.features._vision_transformer import patch_size, patch_tokens
from semcorr_ros.weights.fingerprint import fingerprint, model_files

DINO = "dino"


class DiffusionDino:
    """Both networks. DINOv2 sees the letterbox at another size, so that a patch is a cell of s3."""

    def __init__(self, folders: tuple[Path, Path], settings: Settings, precision: str, device: str) -> None:
        """Load both; folders: of Stable Diffusion, of DINOv2. Raises FileNotFoundError or ValueError."""
        self._diffusion = Diffusion(folders[0], settings, precision, device)
        self._dino = load_published(folders[1], precision, device)
        self._cells = settings.side // CELL
        self._folders, self._settings = folders, settings

    def layers(self, refs: Sequence[ImageRef]) -> Layers:
        """Compute s3, s4, s5 on their own cells and DINOv2's raw tokens, float32, of letterboxes."""
        return {**self._diffusion.layers(refs), DINO: dino_map(self._dino, refs, self._cells)}

    def fingerprint(self, files: Sequence[Path] = (), **settings: object) -> str:
        """Digest both networks, their settings, and whatever else the features depend on."""
        own = [*weight_files(self._folders[0]), *model_files(self._folders[1])]
        return fingerprint([*own, *files], asdict(self._settings) | settings)


def load_networks(config: Any) -> DiffusionDino:
    """Load both as the settings of either backbone say. Raises as `DiffusionDino` does."""
    folders = (
        weights.find("stable-diffusion-1-5", config.diffusion_weights),
        weights.find("dinov2-base", config.dino_weights),
    )
    freeu = FreeU(record_scaled=config.freeu_recorded) if config.freeu else None
    settings = Settings(config.timestep, config.prompt, freeu, config.side)
    return DiffusionDino(folders, settings, config.precision, config.device)


def maps(layers: Layers) -> list[Float[Tensor, "batch channel h w"]]:
    """List s3, s4, s5, DINOv2, the order of adapters and published files, on the cells of s3."""
    return [*on_finest_cells(layers), layers[DINO]]


def dino_map(network: Any, refs: Sequence[ImageRef], cells: int) -> Float[Tensor, "batch channel h w"]:
    """Compute DINOv2's raw tokens of letterboxes of cells x cells patches."""
    canvases = letterboxes(refs, cells * patch_size(network))
    return patch_tokens(network, canvases).permute(0, 3, 1, 2)
