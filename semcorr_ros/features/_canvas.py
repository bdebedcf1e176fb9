"""Pixels of an image to the input of a network: resized, padded, normalized. No torchvision needed."""

from __future__ import annotations

import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from semcorr_ros.geometry.letterbox import Placement

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def lay_out(
    image: UInt8[Tensor, "height width 3"], place: Placement
) -> UInt8[Tensor, "canvas_height canvas_width 3"]:
    """Resize an image onto its canvas, on the CPU; padding is black. Raises ValueError for other images.

    Lanczos with antialiasing on 8-bit values, which neither torch nor OpenCV offers: published features are
    made so.
    """
    if image.ndim != 3 or image.shape[-1] != 3 or image.dtype != torch.uint8:
        raise ValueError(f"expected an RGB image uint8 (H, W, 3), got {image.dtype} {tuple(image.shape)}")
    if tuple(image.shape[:2]) != place.size:
        raise ValueError(f"an image of (h, w) {tuple(image.shape[:2])} was placed as {place.size}")
    (height, width), (x, y) = place.content, place.corner
    picture = Image.fromarray(image.cpu().numpy())
    resized = picture.resize((width, height), Image.Resampling.LANCZOS)
    canvas = torch.zeros(*place.canvas, 3, dtype=torch.uint8)
    canvas[y : y + height, x : x + width] = _pixels(resized)
    return canvas


def normalized(
    canvases: UInt8[Tensor, "batch height width 3"],
    mean: tuple[float, float, float] = IMAGENET_MEAN,
    std: tuple[float, float, float] = IMAGENET_STD,
) -> Float[Tensor, "batch 3 height width"]:
    """Compute (value / 255 - mean) / std, float32 on the input's device. Padding becomes -mean / std."""
    center = torch.tensor(mean, device=canvases.device)
    spread = torch.tensor(std, device=canvases.device)
    return ((canvases.float() / 255 - center) / spread).permute(0, 3, 1, 2).contiguous()


def _pixels(picture: Image.Image) -> UInt8[Tensor, "height width 3"]:
    width, height = picture.size
    return torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8).view(height, width, 3)
