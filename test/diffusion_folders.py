"""A tiny random Stable Diffusion of the real classes, saved as the hub saves it."""

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

# Of Stable Diffusion 1.x, as the hub has it.
SCHEDULER = {
    "_class_name": "PNDMScheduler",
    "_diffusers_version": "0.6.0",
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "num_train_timesteps": 1000,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
    "trained_betas": None,
    "clip_sample": False,
}
LETTERS = "abcdefghijklmnopqrstuvwxyz"
MERGES = ["o f</w>", "p h", "ph o", "pho t", "phot o</w>"]
ENDS = ["<|startoftext|>", "<|endoftext|>"]
WORDS = [
    *ENDS,
    *LETTERS,
    *(f"{letter}</w>" for letter in LETTERS),
    *(pair.replace(" ", "") for pair in MERGES),
]


def make_unet() -> UNet2DConditionModel:
    """A thousandth of the weights; resolutions, blocks and their order are those of the real one."""
    return UNet2DConditionModel(
        block_out_channels=(8, 16, 32, 32),
        cross_attention_dim=16,
        attention_head_dim=4,
        norm_num_groups=4,
        sample_size=64,
    ).eval()


def save_diffusion(folder: Path, seed: int = 0) -> UNet2DConditionModel:
    """Write a random model and return its UNet."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet = make_unet()
        vae = AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=(4, 4, 8, 8),
            layers_per_block=1,
            norm_num_groups=2,
            latent_channels=4,
        )
        text = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(WORDS),
                hidden_size=16,
                intermediate_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                max_position_embeddings=77,
                projection_dim=16,
                bos_token_id=0,
                eos_token_id=1,
                pad_token_id=1,
            )
        )
    unet.save_pretrained(folder / "unet")
    vae.save_pretrained(folder / "vae")
    text.save_pretrained(folder / "text_encoder")
    _save_tokenizer(folder / "tokenizer")
    (folder / "scheduler").mkdir(exist_ok=True)
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(SCHEDULER))
    return unet


def _save_tokenizer(folder: Path) -> None:
    """In the slow format of the hub: vocab.json and merges.txt."""
    folder.mkdir(exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(WORDS)}))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *MERGES]) + "\n")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "pad_token": "<|endoftext|>"})
    )
    CLIPTokenizer.from_pretrained(folder)  # fails here, not in a test, if a version reads another format
