"""CameraInfo messages to a pinhole camera and its lens."""

from __future__ import annotations

from typing import Any

import numpy as np

from semcorr_ros.artifacts import Camera, Lens
from semcorr_ros.geometry.calibration import Calibration, SizeError, camera_of
from semcorr_ros.refusal import Code, Refusal


def intrinsics(message: Any) -> np.ndarray:
    """Read K of a CameraInfo (3, 3), pixels; ROS 1 bags spell it with a capital."""
    return np.reshape(_field(message, "k", None), (3, 3)).astype(np.float64)


def calibration_from_message(message: Any) -> Calibration:
    """Read a CameraInfo; fields that a message of a bag or a test lacks say nothing."""
    P = _field(message, "p", None)
    roi, whole = getattr(message, "roi", None), (message.height, message.width)
    part = None if roi is None or not (roi.width and roi.height) else roi
    return Calibration(
        K=intrinsics(message),
        size=whole if all(whole) else None,
        model=message.distortion_model,
        coefficients=tuple(float(value) for value in _field(message, "d", ())),
        P=None if P is None or len(P) != 12 else np.reshape(P, (3, 4)).astype(np.float64)[:, :3],
        binning=(max(1, getattr(message, "binning_x", 0)), max(1, getattr(message, "binning_y", 0))),
        roi=None if part is None else (part.x_offset, part.y_offset, part.width, part.height),
    )


def camera_from_message(
    message: Any, size: tuple[int, int], rectified: bool | None = None
) -> tuple[Camera | None, Lens | None]:
    """Read camera and lens of an image of `size` (h, w); None and None for an uncalibrated camera (K all
    zero).

    rectified: see `camera_of`. Raises Refusal SIZE_MISMATCH when the calibration is for another image,
    UNCALIBRATED when K is no camera's.
    """
    if intrinsics(message)[0, 0] == 0:
        return None, None
    try:
        return camera_of(calibration_from_message(message), size, rectified)
    except SizeError as error:
        raise Refusal(Code.SIZE_MISMATCH, f"camera_info: {error}") from error
    except ValueError as error:
        raise Refusal(Code.UNCALIBRATED, f"camera_info is unusable: {error}") from error


def image_size(message: Any) -> tuple[int, int]:
    """Tell the size (h, w) of the images of a CameraInfo: what is read out of the sensor, binned."""
    read = calibration_from_message(message)
    width, height = read.roi[2:] if read.roi else (message.width, message.height)
    return height // read.binning[1], width // read.binning[0]


def _field(message: Any, name: str, default: Any) -> Any:
    """Read a field; ROS 1 bags spell those of CameraInfo with a capital."""
    return getattr(message, name, getattr(message, name.upper(), default))
