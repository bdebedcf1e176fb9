"""Depth files: float `.npy`, 16-bit millimetre `.png`; brought to the size of the image."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.files.picture import decode

MM_PER_METER = 1000.0
MAX_ASPECT_ERROR = 0.05  # networks round their output size to multiples of 14 or 32


def read(path: Path) -> Float[Tensor, "height width"]:
    """Read metres from a `.png`, the file's own unit from a `.npy`. Raises ValueError naming the file."""
    values = _read_png(path) if path.suffix == ".png" else _read_npy(path)
    if not (np.isfinite(values) & (values > 0)).any():
        raise ValueError(f"{path}: no valid depth, every value is 0, negative or not finite")
    return torch.from_numpy(values)


def to_size(values: Float[Tensor, "h w"], size: tuple[int, int], path: Path) -> Float[Tensor, "height width"]:
    """Resample without averaging: across a silhouette it would invent surfaces. Raises ValueError."""
    (h, w), (height, width) = values.shape, size
    if abs(w * height - h * width) > MAX_ASPECT_ERROR * max(w * height, h * width):
        raise ValueError(f"{path} is {w}x{h} but its image is {width}x{height}: not the same view")
    if (h, w) == size:
        return values
    return torch.from_numpy(
        cv2.resize(values.numpy(), (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    )


def _read_png(path: Path) -> np.ndarray:
    values = decode(path.read_bytes(), cv2.IMREAD_UNCHANGED, str(path))
    if values.dtype != np.uint16 or values.ndim != 2:
        raise ValueError(
            f"{path}: expected a 16-bit gray PNG in millimetres, got {values.dtype} {values.shape}"
        )
    return values.astype(np.float32) / MM_PER_METER


def _read_npy(path: Path) -> np.ndarray:
    try:
        values = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise ValueError(f"{path} is not a readable .npy array: {error}") from error
    values = np.squeeze(values) if isinstance(values, np.ndarray) else np.zeros(0)
    if values.ndim != 2 or not np.issubdtype(values.dtype, np.number):
        raise ValueError(f"{path}: expected a float (H, W) array, got {values.dtype} {values.shape}")
    return values.astype(np.float32)
