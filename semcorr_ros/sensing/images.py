"""Image messages to tensors, honouring step, byte order and encoding; no copy where none is needed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from semcorr_ros.artifacts import DepthMap
from semcorr_ros.files.depth import metres
from semcorr_ros.files.picture import MAX_PIXELS
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.sensing import compressed

AS_IS = -1
BAYER = ("rggb", "bggr", "gbrg", "grbg")  # colors of the first two rows' first two pixels
# encoding -> (element type, stored channels, OpenCV's conversion to RGB); 8UC3 is BGR, as in cv_bridge
COLOR: dict[str, tuple[type, int, int]] = {
    "rgb8": (np.uint8, 3, AS_IS),
    "bgr8": (np.uint8, 3, cv2.COLOR_BGR2RGB),
    "8UC3": (np.uint8, 3, cv2.COLOR_BGR2RGB),
    "rgba8": (np.uint8, 4, cv2.COLOR_RGBA2RGB),
    "bgra8": (np.uint8, 4, cv2.COLOR_BGRA2RGB),
    "mono8": (np.uint8, 1, cv2.COLOR_GRAY2RGB),
    "8UC1": (np.uint8, 1, cv2.COLOR_GRAY2RGB),
    "mono16": (np.uint16, 1, cv2.COLOR_GRAY2RGB),
    "rgb16": (np.uint16, 3, AS_IS),
    "bgr16": (np.uint16, 3, cv2.COLOR_BGR2RGB),
    "yuv422": (np.uint8, 2, cv2.COLOR_YUV2RGB_UYVY),
    "uyvy": (np.uint8, 2, cv2.COLOR_YUV2RGB_UYVY),
    "yuv422_yuy2": (np.uint8, 2, cv2.COLOR_YUV2RGB_YUY2),
    "yuyv": (np.uint8, 2, cv2.COLOR_YUV2RGB_YUY2),
    **{f"bayer_{order}8": (np.uint8, 1, getattr(cv2, f"COLOR_Bayer{order.upper()}2RGB")) for order in BAYER},
}
DEPTH = {"16UC1": np.uint16, "mono16": np.uint16, "32FC1": np.float32}
LABELS = {"mono8": np.uint8, "8UC1": np.uint8, "mono16": np.uint16, "16UC1": np.uint16}


def color_from_message(message: Any) -> UInt8[Tensor, "height width 3"]:
    """Decode an Image or CompressedImage, in color or gray, to RGB. Raises Refusal BAD_ENCODING."""
    if compressed.is_compressed(message):
        return torch.from_numpy(compressed.color(message))
    pixels, conversion = stored_color(message), COLOR[message.encoding][2]
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    if message.encoding.startswith("bayer"):
        # OpenCV leaves out the border: extend the pattern beyond it, mirrored.
        framed = cv2.copyMakeBorder(pixels, 2, 2, 2, 2, cv2.BORDER_REFLECT_101)
        pixels = cv2.cvtColor(framed, conversion)[2:-2, 2:-2]
    elif conversion != AS_IS:
        pixels = cv2.cvtColor(pixels, conversion)
    return torch.from_numpy(np.require(pixels, requirements=["C", "W"]))


def stored_color(message: Any) -> np.ndarray:
    """View the pixels of a color or gray Image as stored, (h, w, channels). Raises Refusal BAD_ENCODING."""
    if message.encoding not in COLOR:
        raise _unsupported(message, COLOR)
    element, channels, _ = COLOR[message.encoding]
    if channels == 2 and message.width % 2:
        sentence = f"{message.encoding} needs an even width, got {message.width}: pairs share their color"
        raise Refusal(Code.BAD_ENCODING, sentence)
    return _elements(message, np.dtype(element), channels)


def depth_from_message(message: Any, scale: float = 0.0) -> DepthMap:
    """Decode metric depth; 0 where the message holds 0, NaN, infinity or an impossible distance. Raises
    Refusal BAD_ENCODING.

    scale: metres per unit; 0 = the encoding alone decides (REP 118). A picture that is plainly in another
    unit is refused.
    """
    if compressed.is_compressed(message):
        return metric_depth(compressed.depth(message), scale)
    if message.encoding not in DEPTH:
        raise _unsupported(message, DEPTH)
    return metric_depth(_elements(message, np.dtype(DEPTH[message.encoding]), 1)[..., 0], scale)


def labels_from_message(message: Any) -> Int[Tensor, "height width"]:
    """Decode a label image: one number per pixel. Raises Refusal BAD_ENCODING."""
    if message.encoding not in LABELS:
        raise _unsupported(message, LABELS)
    values = _elements(message, np.dtype(LABELS[message.encoding]), 1)[..., 0]
    return torch.from_numpy(values.astype(np.int32))


def metric_depth(values: np.ndarray, scale: float = 0.0) -> DepthMap:
    """Convert measured numbers (h, w) to metres. Raises Refusal BAD_ENCODING for what are no metres."""
    try:
        return DepthMap(torch.from_numpy(metres(values, scale)), metric=True)
    except ValueError as error:
        raise Refusal(
            Code.BAD_ENCODING, f"{error}; send millimetres as 16UC1, or set `depth_scale`"
        ) from error


def _elements(message: Any, element: np.dtype, channels: int) -> np.ndarray:
    """Read (h, w, channels) in native byte order; a view of the message where it has no padding."""
    if message.width * message.height > MAX_PIXELS:
        raise Refusal(
            Code.BAD_ENCODING,
            f"an image of {message.width}x{message.height} is larger than {MAX_PIXELS} pixels",
        )
    row = message.width * channels * element.itemsize
    data = np.frombuffer(message.data, np.uint8)
    needed = message.step * (message.height - 1) + row
    if message.height == 0 or message.width == 0 or message.step < row or len(data) < needed:
        raise Refusal(
            Code.BAD_ENCODING,
            f"a {message.width}x{message.height} {message.encoding} image needs rows of {row} bytes; "
            f"step is {message.step} and there are {len(data)} bytes",
        )
    # The last row may come without its padding.
    rows = np.lib.stride_tricks.as_strided(data, (message.height, row), (message.step, 1))
    stored = element.newbyteorder(">" if message.is_bigendian else "<")
    pixels = np.ascontiguousarray(rows).view(stored).reshape(message.height, message.width, channels)
    return pixels.astype(element, copy=False)


def _unsupported(message: Any, allowed: Iterable[str]) -> Refusal:
    return Refusal(
        Code.BAD_ENCODING, f"encoding {message.encoding!r} is not supported; use one of: {', '.join(allowed)}"
    )
