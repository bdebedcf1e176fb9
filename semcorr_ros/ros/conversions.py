"""sensor_msgs to tensors and back, honouring step, endianness and encoding. No cv_bridge, no copy where
none is needed.
"""

from __future__ import annotations

import sys
from array import array

import numpy as np
import torch
from jaxtyping import Float, UInt8
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from torch import Tensor

from semcorr_ros.artifacts import Camera, DepthMap
from semcorr_ros.geometry import cameras
from semcorr_ros.ros.refusal import Code, Refusal

# encoding -> (element type, channels, order of R, G, B among them)
COLOR = {
    "rgb8": (np.uint8, 3, (0, 1, 2)),
    "bgr8": (np.uint8, 3, (2, 1, 0)),
    "rgba8": (np.uint8, 4, (0, 1, 2)),
    "bgra8": (np.uint8, 4, (2, 1, 0)),
    "mono8": (np.uint8, 1, (0, 0, 0)),
}
MILLIMETRES = 1e-3
DEPTH = {"16UC1": (np.uint16, MILLIMETRES), "32FC1": (np.float32, 1.0)}  # REP 118


def color_from_message(message: Image) -> UInt8[Tensor, "height width 3"]:
    """RGB of a color or gray image. Raises Refusal BAD_ENCODING."""
    if message.encoding not in COLOR:
        raise _unsupported(message, COLOR)
    element, channels, order = COLOR[message.encoding]
    pixels = _elements(message, np.dtype(element), channels)
    if order != (0, 1, 2) or channels != 3:
        pixels = pixels[..., list(order)]
    return torch.from_numpy(np.require(pixels, requirements=["C", "W"]))


def depth_from_message(message: Image) -> DepthMap:
    """Metric depth; 0 where the message holds 0, NaN or an infinity. Raises Refusal BAD_ENCODING."""
    if message.encoding not in DEPTH:
        raise _unsupported(message, DEPTH)
    element, metres = DEPTH[message.encoding]
    values = _elements(message, np.dtype(element), 1)[..., 0].astype(np.float32) * np.float32(metres)
    values[~np.isfinite(values) | (values < 0)] = 0.0
    return DepthMap(torch.from_numpy(values), metric=True)


def camera_from_message(message: CameraInfo, size: tuple[int, int]) -> Camera | None:
    """Pinhole camera of an image of `size` (h, w); None for an uncalibrated camera (K all zero).

    Raises Refusal BAD_REQUEST when the calibration is for another image size.
    """
    if message.k[0] == 0:
        return None
    if (message.height, message.width) not in ((0, 0), size):
        raise Refusal(
            Code.BAD_REQUEST,
            f"camera_info is for {message.width}x{message.height} but the image is {size[1]}x{size[0]}",
        )
    try:
        return cameras.from_matrix(torch.tensor(np.reshape(message.k, (3, 3)), dtype=torch.float32), size)
    except ValueError as error:
        raise Refusal(Code.NO_CAMERA_INFO, f"camera_info is unusable: {error}") from error


def color_message(image: UInt8[np.ndarray, "height width 3"], header: Header) -> Image:
    """An rgb8 message."""
    return _message(np.ascontiguousarray(image, np.uint8), header, "rgb8")


def depth_message(depth: Float[np.ndarray, "height width"], header: Header) -> Image:
    """A 16UC1 message in millimetres, rounded; 0 = invalid, as is what 16 bits cannot hold."""
    millimetres = np.nan_to_num(np.rint(depth / MILLIMETRES), nan=0.0, posinf=0.0, neginf=0.0)
    millimetres[(millimetres < 0) | (millimetres > np.iinfo(np.uint16).max)] = 0
    return _message(millimetres.astype(np.uint16), header, "16UC1")


def camera_message(camera: Camera, header: Header) -> CameraInfo:
    """CameraInfo of an undistorted pinhole camera."""
    (fx, fy), (cx, cy) = camera.focal.tolist(), camera.principal_point.tolist()
    message = CameraInfo(header=header, height=camera.size[0], width=camera.size[1])
    message.distortion_model = "plumb_bob"
    message.d = [0.0] * 5
    message.k = np.array([fx, 0, cx, 0, fy, cy, 0, 0, 1], np.float64)
    message.r = np.eye(3).reshape(-1)
    message.p = np.array([fx, 0, cx, 0, 0, fy, cy, 0, 0, 0, 1, 0], np.float64)
    return message


def _elements(message: Image, element: np.dtype, channels: int) -> np.ndarray:
    """(h, w, channels) in native byte order; a view of the message where it has no padding."""
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


def _message(pixels: np.ndarray, header: Header, encoding: str) -> Image:
    # Assigning an ndarray or bytes copies element by element in some distributions; array('B') never does.
    data = array("B")
    data.frombytes(pixels.data.cast("B"))
    height, width = pixels.shape[:2]
    message = Image(header=header, height=height, width=width, encoding=encoding)
    message.is_bigendian = int(sys.byteorder == "big")
    message.step = pixels.strides[0]
    message.data = data
    return message


def _unsupported(message: Image, allowed: dict) -> Refusal:
    return Refusal(
        Code.BAD_ENCODING, f"encoding {message.encoding!r} is not supported; use one of: {', '.join(allowed)}"
    )
