"""Tiny random depth networks of the real classes, saved as the hub saves them."""

from pathlib import Path

import torch
import transformers
from model_folders import needs

ENCODER = {"hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 2, "patch_size": 14}


def save_depth_anything(folder: Path, metric: bool = False, seed: int = 0) -> torch.nn.Module:
    """Input 70 pixels; relative or metric up to 20 m."""
    backbone = transformers.Dinov2Config(
        **ENCODER, image_size=70, out_indices=[1, 2, 3, 4], reshape_hidden_states=False, apply_layernorm=True
    )
    config = transformers.DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=32,
        neck_hidden_sizes=[8, 16, 24, 32],
        fusion_hidden_size=16,
        head_hidden_size=8,
        depth_estimation_type="metric" if metric else "relative",
        max_depth=20 if metric else 1,
    )
    return _save(transformers.DepthAnythingForDepthEstimation, config, folder, seed)


def save_depth_pro(folder: Path, use_fov_model: bool = True, seed: int = 0) -> torch.nn.Module:
    """Input 224 pixels in patches of 56, themselves in patches of 14."""
    needs("DepthProConfig")
    encoder = {"model_type": "dinov2", **ENCODER, "image_size": 56, "use_mask_token": False}
    config = transformers.DepthProConfig(
        patch_size=56,
        fusion_hidden_size=16,
        intermediate_hook_ids=[2, 1],
        intermediate_feature_dims=[16, 16],
        scaled_images_feature_dims=[16, 16, 16],
        merge_padding_value=0,
        use_fov_model=use_fov_model,
        image_model_config=dict(encoder),
        patch_model_config=dict(encoder),
        fov_model_config=dict(encoder),
    )
    return _save(transformers.DepthProForDepthEstimation, config, folder, seed, _about_60_degrees)


def _about_60_degrees(network: torch.nn.Module) -> None:
    if network.fov_model is not None:
        network.fov_model.head.layers[-1].bias.data.fill_(60)
    for bias in (network.head.layers[-2].bias, network.head.layers[2].bias):
        bias.data.fill_(0.5)  # the last layer is a ReLU: some of what comes out must be positive


def _save(cls: type, config: object, folder: Path, seed: int, adjust=lambda network: None) -> torch.nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = cls(config).eval()
        for parameter in network.parameters():  # the default is so small that outputs hardly vary
            if parameter.ndim > 1:
                torch.nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
        adjust(network)
    network.save_pretrained(folder)
    return network
