"""Tiny random models of the real classes, saved as the hub saves them."""

from pathlib import Path

import torch
import transformers
from model_folders import needs

TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
FAMILIES = {
    "dinov2": ("Dinov2", {"image_size": 70, "patch_size": 14}),
    "dinov2_with_registers": ("Dinov2WithRegisters", {"image_size": 70, "patch_size": 14}),
    "dinov3_vit": ("DINOv3ViT", {"image_size": 64, "patch_size": 16, "num_register_tokens": 4}),
}


def save_transformer(folder: Path, kind: str, seed: int = 0) -> torch.nn.Module:
    """Write and return a random model whose layer norms are random too: raw and normed tokens differ."""
    family, options = FAMILIES[kind]
    needs(f"{family}Config")
    config = getattr(transformers, f"{family}Config")(**TINY, **options)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = getattr(transformers, f"{family}Model")(config).eval()
        for name, parameter in network.named_parameters():
            if "norm" in name:
                parameter.data = 1 + 0.5 * torch.randn_like(parameter)
    network.save_pretrained(folder)
    return network
