"""Tiny random segmenters of the real classes, saved as the hub saves them."""

import json
from pathlib import Path

import torch
import transformers
from model_folders import needs

DECODER = {
    "hidden_size": 32,
    "mlp_dim": 32,
    "num_attention_heads": 2,
    "iou_head_hidden_dim": 16,
    "attention_downsample_rate": 1,
}


def save_sam(folder: Path, seed: int = 0) -> torch.nn.Module:
    """Input 64 pixels."""
    config = transformers.SamConfig(
        vision_config={
            "hidden_size": 32,
            "output_channels": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 64,
            "patch_size": 8,
            "window_size": 4,
            "global_attn_indexes": [1],
            "num_pos_feats": 16,
            "initializer_range": 0.02,
        },
        prompt_encoder_config={"hidden_size": 32, "image_size": 64, "patch_size": 8},
        mask_decoder_config=DECODER,
    )
    return _save(transformers.SamModel(config), folder, seed)


def sam2_config() -> object:
    """Input 64 pixels."""
    needs("Sam2Config")
    return transformers.Sam2Config(
        vision_config={
            "backbone_config": {
                "model_type": "sam2_hiera_det_model",
                "hidden_size": 8,
                "image_size": [64, 64],
                "blocks_per_stage": [1, 1, 2, 1],
                "embed_dim_per_stage": [8, 16, 32, 64],
                "num_attention_heads_per_stage": [1, 1, 2, 2],
                "window_size_per_stage": [4, 2, 2, 2],
                "global_attention_blocks": [3],
                "window_positional_embedding_background_size": [4, 4],
            },
            "backbone_channel_list": [64, 32, 16, 8],
            "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
            "fpn_hidden_size": 32,
        },
        prompt_encoder_config={"hidden_size": 32, "image_size": 64, "patch_size": 16},
        mask_decoder_config=DECODER,
    )


def save_sam2(folder: Path, seed: int = 0) -> torch.nn.Module:
    config = sam2_config()
    return _save(transformers.Sam2Model(config), folder, seed)


def sam3_config() -> object:
    """Input 56 pixels."""
    needs("Sam3Config")
    small = {"hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 32}
    layers = {**small, "num_layers": 1}
    return transformers.Sam3Config(
        vision_config={
            "backbone_config": {
                "model_type": "sam3_vit_model",
                **small,
                "num_hidden_layers": 2,
                "image_size": 56,
                "pretrain_image_size": 28,
                "window_size": 2,
                "global_attn_indexes": [1],
            },
            "fpn_hidden_size": 32,
            "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
        },
        text_config={**small, "num_hidden_layers": 1, "vocab_size": 40, "projection_dim": 32},
        geometry_encoder_config=layers,
        detr_encoder_config=layers,
        detr_decoder_config={**layers, "num_queries": 6},
        mask_decoder_config={"hidden_size": 32, "num_attention_heads": 2},
    )


def save_sam3(folder: Path, seed: int = 0) -> torch.nn.Module:
    config = sam3_config()
    network = _save(transformers.Sam3Model(config), folder, seed)
    save_clip_tokenizer(folder)
    return network


def save_clip_tokenizer(folder: Path) -> None:
    """Letters only."""
    letters = "abcdefghijklmnopqr"
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    transformers.CLIPTokenizer.from_pretrained(folder).save_pretrained(folder)


def _save(network: torch.nn.Module, folder: Path, seed: int) -> torch.nn.Module:
    """Weights so large that answers depend on the input."""
    draws = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        if parameter.ndim > 1:
            std = parameter[0].numel() ** -0.5
            parameter.data = std * torch.randn(parameter.shape, generator=draws)
    network.eval().save_pretrained(folder)
    return network
