"""CameraInfo messages to a pinhole camera and its lens."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from semcorr_ros.artifacts import Camera, Lens
from semcorr_ros.geometry import cameras
from semcorr_ros.geometry.distortion import make_lens
from semcorr_ros.refusal import Code, Refusal


def intrinsics(message: Any) -> np.ndarray:
    """Read K of a CameraInfo (3, 3), pixels; ROS 1 bags spell it with a capital."""
    return np.reshape(message.k if hasattr(message, "k") else message.K, (3, 3)).astype(np.float64)


def camera_from_message(message: Any, size: tuple[int, int]) -> Camera | None:
    """Read the pinhole camera of an image of `size` (h, w); None for an uncalibrated camera (K all zero).

    Raises Refusal SIZE_MISMATCH when the calibration is for another image size, UNCALIBRATED when K is
    no camera's.
    """
    K = intrinsics(message)
    if K[0, 0] == 0:
        return None
    if (message.height, message.width) not in ((0, 0), size):
        raise Refusal(
            Code.SIZE_MISMATCH,
            f"camera_info is for {message.width}x{message.height} but the image is {size[1]}x{size[0]}",
        )
    try:
        return cameras.from_matrix(torch.from_numpy(K).float(), size)
    except ValueError as error:
        raise Refusal(Code.UNCALIBRATED, f"camera_info is unusable: {error}") from error


def lens_from_message(message: Any, camera: Camera) -> Lens | None:
    """Read the lens distortion; None for a rectified image. Raises Refusal UNCALIBRATED."""
    coefficients = tuple(float(value) for value in (message.d if hasattr(message, "d") else message.D))
    (fx, fy), (cx, cy) = camera.focal.tolist(), camera.principal_point.tolist()
    try:
        return make_lens(message.distortion_model, coefficients, (fx, fy), (cx, cy), camera.size)
    except ValueError as error:
        raise Refusal(Code.UNCALIBRATED, f"camera_info: {error}") from error
