"""Parts of a Stable Diffusion 1.x folder in the hub's layout, loaded one by one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers.utils import logging as diffusers_logging
from jaxtyping import Float
from safetensors import SafetensorError
from torch import Tensor
from transformers import CLIPTokenizer

from semcorr_ros.features._unet_taps import trim
from semcorr_ros.weights.networks import PRECISIONS, load_network

WEIGHTS = "diffusion_pytorch_model.safetensors"


def weight_files(folder: Path) -> list[Path]:
    """List the files that features depend on, in a fixed order."""
    return [
        folder / "unet" / WEIGHTS,
        folder / "vae" / WEIGHTS,
        folder / "text_encoder" / "model.safetensors",
    ]


def load_unet(folder: Path, precision: str, device: str) -> Any:
    """Load the UNet as far as s3. Raises FileNotFoundError, ValueError naming the folder."""
    unet = _load(diffusers.UNet2DConditionModel, folder / "unet", precision)
    trim(unet)
    return unet.to(device)


def load_vae(folder: Path, precision: str, device: str) -> Any:
    """Load the encoder from pixels to latents. Raises FileNotFoundError, ValueError naming the folder."""
    vae = _load(diffusers.AutoencoderKL, folder / "vae", precision)
    vae.decoder = vae.post_quant_conv = None
    return vae.to(device)


def load_scheduler(folder: Path) -> Any:
    """Load the noise levels, whichever sampler the folder is for. Raises FileNotFoundError."""
    if not (folder / "scheduler" / "scheduler_config.json").is_file():
        raise FileNotFoundError(f"no scheduler/scheduler_config.json in {folder}")
    with _quiet():
        return diffusers.DDPMScheduler.from_pretrained(folder / "scheduler", local_files_only=True)


@torch.inference_mode()
def embed(prompt: str, folder: Path, precision: str, device: str) -> Float[Tensor, "1 token width"]:
    """Encode a prompt for the UNet. Raises FileNotFoundError, ValueError naming the folder.

    Does not keep the text encoder in memory: it is needed once per prompt.
    """
    if not (folder / "tokenizer" / "vocab.json").is_file():
        raise FileNotFoundError(f"no tokenizer/vocab.json in {folder}")
    kinds = {"clip_text_model": "CLIPTextModel"}
    encoder = load_network(folder / "text_encoder", kinds, device, precision)
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
    length = encoder.config.max_position_embeddings
    tokens = tokenizer(prompt, padding="max_length", max_length=length, truncation=True, return_tensors="pt")
    return encoder(tokens.input_ids.to(device)).last_hidden_state


def _load(cls: Any, folder: Path, precision: str) -> Any:
    for name in ("config.json", WEIGHTS):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"no {name} in {folder}")
    with _quiet():
        try:
            network, report = cls.from_pretrained(
                folder,
                torch_dtype=PRECISIONS[precision],  # now, so that memory never holds more
                local_files_only=True,
                use_safetensors=True,
                low_cpu_mem_usage=False,  # True needs one more package
                output_loading_info=True,
            )
        except (SafetensorError, RuntimeError, ValueError, TypeError, OSError) as error:
            raise ValueError(f"{folder} cannot be loaded as {cls.__name__}: {error}") from error
    missing = sorted(report["missing_keys"])
    if missing:  # diffusers fills these with random numbers
        raise ValueError(f"{folder} lacks {len(missing)} weights of {cls.__name__}, first {missing[0]}")
    return network.requires_grad_(False).eval()


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence diffusers' advice: what is wrong raises."""
    verbosity = diffusers_logging.get_verbosity()
    diffusers_logging.set_verbosity_error()
    try:
        yield
    finally:
        diffusers_logging.set_verbosity(verbosity)
