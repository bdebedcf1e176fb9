"""CameraInfo messages to a pinhole camera and its lens."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from semcorr_ros.artifacts import Camera, Lens
from semcorr_ros.geometry import cameras
from semcorr_ros.geometry.distortion import make_lens
from semcorr_ros.refusal import Code, Refusal

# Focal lengths in longer sides of the image: 174 degrees of view, and 0.06.
SHORTEST, LONGEST = 0.025, 1000.0
SQUEEZED = 4.0  # one focal length over the other
ASIDE = 10.0  # principal point from the middle of the image, in focal lengths: 84 degrees


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
        camera = cameras.from_matrix(torch.from_numpy(K).float(), size)
    except ValueError as error:
        raise Refusal(Code.UNCALIBRATED, f"camera_info is unusable: {error}") from error
    if all(size):
        _check_plausible(K, size)
    return camera


def _check_plausible(K: np.ndarray, size: tuple[int, int]) -> None:
    """Check that a camera could have this K. Raises Refusal UNCALIBRATED."""
    focal, center = K[[0, 1], [0, 1]], K[:2, 2]
    middle = (np.array(size)[::-1] - 1) / 2
    low, high = SHORTEST * max(size), LONGEST * max(size)
    if focal.min() < low or focal.max() > high or focal.max() > SQUEEZED * focal.min():
        raise Refusal(
            Code.UNCALIBRATED,
            f"camera_info is unusable: focal lengths {focal[0]:g} and {focal[1]:g} px of a "
            f"{size[1]}x{size[0]} image; they must be alike, and between {low:g} and {high:g}",
        )
    if (np.abs(center - middle) > ASIDE * focal).any():
        raise Refusal(
            Code.UNCALIBRATED,
            f"camera_info is unusable: principal point ({center[0]:g}, {center[1]:g}) of a "
            f"{size[1]}x{size[0]} image with focal length {focal[0]:g}",
        )


def lens_from_message(message: Any, camera: Camera) -> Lens | None:
    """Read the lens distortion; None for a rectified image. Raises Refusal UNCALIBRATED."""
    coefficients = tuple(float(value) for value in (message.d if hasattr(message, "d") else message.D))
    (fx, fy), (cx, cy) = camera.focal.tolist(), camera.principal_point.tolist()
    try:
        return make_lens(message.distortion_model, coefficients, (fx, fy), (cx, cy), camera.size)
    except ValueError as error:
        raise Refusal(Code.UNCALIBRATED, f"camera_info: {error}") from error
