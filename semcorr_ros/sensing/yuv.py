"""YUV 4:2:2 to RGB: ITU-R BT.601 in its limited range, as cameras send it and OpenCV reads it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

# encoding -> is the luma the first byte of each pair? (yuv422 is UYVY)
ENCODINGS = {"yuv422": False, "uyvy": False, "yuv422_yuy2": True, "yuyv": True}


def unpack(luma_first: bool) -> Callable[[np.ndarray], np.ndarray]:
    """Function from pairs (h, w, 2) uint8 to RGB (h, w, 3) uint8. A last odd column keeps its neighbour's
    second chroma."""

    def to_rgb(pairs: np.ndarray) -> np.ndarray:
        y = pairs[..., 0 if luma_first else 1].astype(np.float32)
        chroma = pairs[..., 1 if luma_first else 0].astype(np.float32) - 128
        width = y.shape[1]
        u = np.repeat(chroma[:, 0::2], 2, axis=1)[:, :width]
        v = np.repeat(chroma[:, 1::2], 2, axis=1)
        v = np.pad(v, ((0, 0), (0, max(0, width - v.shape[1]))), mode="edge" if v.size else "constant")
        luma = 1.164 * np.maximum(y - 16, 0)
        rgb = (luma + 1.596 * v, luma - 0.813 * v - 0.391 * u, luma + 2.018 * u)
        return np.clip(np.rint(np.stack(rgb, -1)), 0, 255).astype(np.uint8)

    return to_rgb
