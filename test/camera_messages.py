"""Sensor messages without ROS: objects with the same fields, as a bag reader makes them."""

from __future__ import annotations

import io
import struct
from types import SimpleNamespace
from typing import Any

import numpy as np
from PIL import Image


def header(frame: str = "optical", seconds: float = 0.0) -> SimpleNamespace:
    stamp = SimpleNamespace(sec=int(seconds), nanosec=round(seconds % 1 * 1e9))
    return SimpleNamespace(frame_id=frame, stamp=stamp)


def image(pixels: np.ndarray, encoding: str) -> SimpleNamespace:
    """Image of an array (h, w) or (h, w, c) in native byte order."""
    rows = np.ascontiguousarray(pixels).reshape(len(pixels), -1).view(np.uint8)
    return SimpleNamespace(
        header=header(), height=pixels.shape[0], width=pixels.shape[1], encoding=encoding,
        is_bigendian=0, step=rows.shape[1], data=rows.reshape(-1),
    )  # fmt: skip


def compressed(data: bytes, form: str) -> SimpleNamespace:
    return SimpleNamespace(header=header(), format=form, data=np.frombuffer(data, np.uint8))


def encoded(pixels: np.ndarray, kind: str, **options: Any) -> bytes:
    """A JPEG or PNG file of an array."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def compressed_depth(metres: np.ndarray, kind: str) -> SimpleNamespace:
    """What compressed_depth_image_transport sends for a 16UC1 or 32FC1 image, with its default settings."""
    if kind == "16UC1":
        values, a, b = np.rint(np.nan_to_num(metres) * 1000), 0.0, 0.0
    else:
        quantization, farthest = 100.0, 10.0  # depth_quantization, depth_max
        a = quantization * (quantization + 1)
        b = 1.0 - a / farthest
        with np.errstate(divide="ignore", invalid="ignore"):
            values = np.where((metres > 0) & (metres < farthest), np.rint(a / metres + b), 0)
    png = encoded(values.astype(np.uint16), "PNG")
    return compressed(struct.pack("<iff", 0, a, b) + png, f"{kind}; compressedDepth png")


def camera_info(K: np.ndarray, size: tuple[int, int], d=(), model: str = "plumb_bob") -> SimpleNamespace:
    return SimpleNamespace(
        header=header(), height=size[0], width=size[1], distortion_model=model,
        d=list(d), k=np.asarray(K, np.float64).reshape(-1),
    )  # fmt: skip
