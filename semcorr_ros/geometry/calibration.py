"""What a calibration says, and the camera of one image that follows: of another resolution, of a part of the
sensor, rectified or not.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from semcorr_ros.artifacts import Camera, Lens
from semcorr_ros.geometry import cameras
from semcorr_ros.geometry.distortion import make_lens

LOG = logging.getLogger(__name__)
ASPECT = 0.01  # by which two resolutions of one camera differ in aspect at most
SKEW = 1.0  # pixels, less moves nothing by more than one
_said: set[str] = set()  # once per process


class SizeError(ValueError):
    """A calibration of another image."""


@dataclass(frozen=True)
class Calibration:
    """Numbers of a calibration file or message, in pixels of the whole sensor."""

    K: Float[np.ndarray, "3 3"]  # of the picture as it was taken
    size: tuple[int, int] | None = None  # (h, w) of the images that were calibrated
    model: str = ""  # of the distortion; empty: plumb_bob
    coefficients: tuple[float, ...] = ()
    P: Float[np.ndarray, "3 3"] | None = None  # of the rectified picture
    binning: tuple[int, int] = (1, 1)  # columns and rows that became one pixel
    roi: tuple[int, int, int, int] | None = None  # x, y, width, height that were read out


def camera_of(
    calibration: Calibration, size: tuple[int, int], rectified: bool | None = None
) -> tuple[Camera, Lens | None]:
    """Find camera and lens of an image of `size` (h, w).

    rectified: P and no lens; None = where there is no distortion. Raises SizeError for a calibration of
    images that this one cannot come from, ValueError for numbers of no camera.
    """
    if rectified is None:
        rectified = not any(calibration.coefficients)
    K, P = calibration.K, calibration.P
    if rectified and P is not None and P[0, 0] > 0:
        K = P
    if abs(K[0, 1]) > SKEW:
        _say(f"K has a skew of {K[0, 1]:g} pixels, which is ignored: a camera's pixels are rectangles")
    K, cropped = _of_image(K, calibration, size)
    camera = cameras.from_matrix(torch.from_numpy(K).float(), size, cropped)
    (fx, fy), (cx, cy) = camera.focal.tolist(), camera.principal_point.tolist()
    if not (-0.5 <= cx < size[1] and -0.5 <= cy < size[0]) and not cropped and all(size):
        _say(f"the principal point ({cx:g}, {cy:g}) is outside of the {size[1]}x{size[0]} image")
    if rectified:
        return camera, None
    model = calibration.model or "plumb_bob"
    return camera, make_lens(model, calibration.coefficients, (fx, fy), (cx, cy), size)


def _of_image(K: np.ndarray, of: Calibration, size: tuple[int, int]) -> tuple[np.ndarray, bool]:
    """Shift and scale K to an image; also tell whether that is a part of the sensor."""
    (bx, by), (height, width) = of.binning, size
    full = of.size or (of.roi and (of.roi[3], of.roi[2])) or None
    if full is None:
        return K, False
    x, y, w, h = of.roi or (0, 0, full[1], full[0])
    partly = (bx, by) != (1, 1) or (w, h) != full[::-1]
    if partly and abs(w / bx - width) <= 1 and abs(h / by - height) <= 1:
        return scaled(shifted(K, x, y), 1 / bx, 1 / by), (w, h) != full[::-1]
    if full == size:
        return K, False
    if not same_aspect(full, size):
        part = f", of which {w}x{h} at ({x}, {y}) are read out, binned {bx}x{by}" if of.roi else ""
        raise SizeError(
            f"the calibration is for {full[1]}x{full[0]}{part} but the image is {width}x{height}: "
            "another mode of the camera, cropped or turned"
        )
    _say(f"the calibration is for {full[1]}x{full[0]} and scaled to the image, {width}x{height}")
    return scaled(K, width / full[1], height / full[0]), False


def same_aspect(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Tell whether images of two sizes (h, w) may be of one camera, read out at two resolutions."""
    (h, w), (height, width) = one, other
    return abs(width * h - height * w) <= ASPECT * width * h


def shifted(K: Float[np.ndarray, "3 3"], x: float, y: float) -> Float[np.ndarray, "3 3"]:
    """Move the origin of the pixels to (x, y)."""
    return K - np.array([[0, 0, x], [0, 0, y], [0, 0, 0.0]])


def scaled(K: Float[np.ndarray, "3 3"], sx: float, sy: float) -> Float[np.ndarray, "3 3"]:
    """Scale to an image with sx times the columns and sy times the rows; (0, 0) stays a pixel's centre."""
    centred = shifted(K, -0.5, -0.5)
    return shifted(np.diag([sx, sy, 1.0]) @ centred, 0.5, 0.5)


def _say(sentence: str) -> None:
    if sentence not in _said:
        _said.add(sentence)
        LOG.warning(sentence)
