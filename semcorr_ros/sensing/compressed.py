"""CompressedImage messages: JPEG and PNG color, and the depth of compressed_depth_image_transport.

That transport puts 12 bytes before a 16-bit PNG, or RVL: an int32 and two float32, quantization A and B. A
32FC1 image holds A / (value - B) metres, 0 = invalid; a 16UC1 image holds millimetres.
"""

from __future__ import annotations

import struct
from typing import Any

import cv2
import numpy as np

from semcorr_ros.files.picture import MAX_PIXELS, decode
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.sensing import rvl

HEADER = struct.Struct("<iff")
KINDS = {"16UC1": "16UC1", "mono16": "16UC1", "32FC1": "32FC1"}  # images.DEPTH, by what a format begins with


def is_compressed(message: Any) -> bool:
    """Tell a CompressedImage from an Image."""
    return not hasattr(message, "encoding")


def color(message: Any) -> np.ndarray:
    """Decode RGB (h, w, 3) uint8. Raises Refusal BAD_ENCODING."""
    if "compressedDepth" in message.format:
        raise Refusal(Code.BAD_ENCODING, f"format {message.format!r} is depth, not color")
    return cv2.cvtColor(_decode(message, bytes(message.data), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def depth(message: Any) -> np.ndarray:
    """Decode depth (h, w) in the unit of its kind: uint16 of 16UC1, float32 metres of 32FC1, 0 or not finite
    where invalid. Raises Refusal BAD_ENCODING."""
    kind = KINDS.get(message.format.partition(";")[0].strip())
    if kind is None:
        raise Refusal(
            Code.BAD_ENCODING,
            f"format {message.format!r} is not supported for depth; it must begin with "
            "16UC1;, mono16; or 32FC1;",
        )
    data = bytes(message.data)
    quantization = (0.0, 0.0)
    if "compressedDepth" in message.format:
        if len(data) < HEADER.size:
            raise Refusal(Code.BAD_ENCODING, f"compressedDepth data of {len(data)} bytes have no header")
        quantization = HEADER.unpack_from(data)[1:]
        data = data[HEADER.size :]
    elif kind == "32FC1":
        raise Refusal(
            Code.BAD_ENCODING, f"format {message.format!r}: 32FC1 comes by the transport compressedDepth"
        )
    values = _rvl(message, data) if "rvl" in message.format.lower() else _sixteen_bits(message, data)
    return _metres(values.astype(np.float32), *quantization) if kind == "32FC1" else values


def _metres(values: np.ndarray, a: float, b: float) -> np.ndarray:
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        return np.where(values > 0, np.float32(a) / (values - np.float32(b)), 0).astype(np.float32)


def _rvl(message: Any, data: bytes) -> np.ndarray:
    try:
        return rvl.decode(data, MAX_PIXELS)
    except ValueError as error:
        raise Refusal(Code.BAD_ENCODING, f"RVL of format {message.format!r}: {error}") from error


def _sixteen_bits(message: Any, data: bytes) -> np.ndarray:
    values = _decode(message, data, cv2.IMREAD_UNCHANGED)
    if values.dtype != np.uint16 or values.ndim != 2:
        raise Refusal(
            Code.BAD_ENCODING,
            f"depth must be a gray PNG of 16 bits, got {values.dtype} {values.shape} ({message.format!r})",
        )
    return values


def _decode(message: Any, data: bytes, flags: int) -> np.ndarray:
    try:
        return decode(data, flags, f"a message of {len(data)} bytes and format {message.format!r}")
    except ValueError as error:
        raise Refusal(Code.BAD_ENCODING, str(error)) from error
