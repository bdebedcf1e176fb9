"""Tensors to sensor_msgs; the other direction is `sensing`."""

from __future__ import annotations

import sys
from array import array

import numpy as np
from jaxtyping import Float, UInt8
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from semcorr_ros.artifacts import Camera
from semcorr_ros.files.depth import MILLIMETRES


def color_message(image: UInt8[np.ndarray, "height width 3"], header: Header) -> Image:
    """Convert an image to an rgb8 message."""
    return _message(np.ascontiguousarray(image, np.uint8), header, "rgb8")


def depth_message(depth: Float[np.ndarray, "height width"], header: Header) -> Image:
    """Convert depth in metres to a 16UC1 message in rounded millimetres; 0 where invalid or out of range."""
    millimetres = np.nan_to_num(np.rint(depth / MILLIMETRES), nan=0.0, posinf=0.0, neginf=0.0)
    millimetres[(millimetres < 0) | (millimetres > np.iinfo(np.uint16).max)] = 0
    return _message(millimetres.astype(np.uint16), header, "16UC1")


def camera_message(camera: Camera, header: Header) -> CameraInfo:
    """Convert an undistorted pinhole camera to CameraInfo."""
    (fx, fy), (cx, cy) = camera.focal.tolist(), camera.principal_point.tolist()
    message = CameraInfo(header=header, height=camera.size[0], width=camera.size[1])
    message.distortion_model = "plumb_bob"
    message.d = [0.0] * 5
    message.k = np.array([fx, 0, cx, 0, fy, cy, 0, 0, 1], np.float64)
    message.r = np.eye(3).reshape(-1)
    message.p = np.array([fx, 0, cx, 0, 0, fy, cy, 0, 0, 0, 1, 0], np.float64)
    return message


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
