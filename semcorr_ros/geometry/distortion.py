"""Lens distortion as calibration tools write it: plumb_bob, rational_polynomial and equidistant.

"Ideal" pixels are those of the pinhole camera with the same K; "image" pixels are where the lens puts
them. OpenCV computes both; its calib3d and fisheye models have the keys of COEFFICIENTS as names in ROS
(sensor_msgs/distortion_models). It does not say where a polynomial folds back: that is found here.
"""

from __future__ import annotations

import functools
import math

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from semcorr_ros.artifacts import Lens

# OpenCV's order: k1 k2 p1 p2 [k3 [k4 k5 k6 [s1 s2 s3 s4 [tx ty]]]]; equidistant: k1 k2 k3 k4.
COEFFICIENTS = {"plumb_bob": (4, 5), "rational_polynomial": (8, 12, 14), "equidistant": (4,)}
OTHER_NAMES = {
    **dict.fromkeys(
        ("radtan", "radial_tangential", "brown_conrady", "brown", "pinhole", "opencv"), "plumb_bob"
    ),
    **dict.fromkeys(("rational", "full_opencv", "thin_prism", "tilted"), "rational_polynomial"),
    **dict.fromkeys(
        ("fisheye", "equi", "kannala_brandt", "kannala_brandt4", "opencv_fisheye"), "equidistant"
    ),
}
NEWTON_STEPS = 8
WIDEST = 4.0  # tangent of the largest angle from the optical axis that is looked at
LARGEST_SIDE = 32766  # pixels that OpenCV resamples
OUTSIDE = -1e4  # a column that no image has


def make_lens(
    model: str,
    coefficients: tuple[float, ...],
    focal: tuple[float, float],
    principal_point: tuple[float, float],
    size: tuple[int, int],
) -> Lens | None:
    """Make a lens from a calibration; None where there is nothing to correct.

    Raises ValueError for a model or count that is not known, and for an image too long to be rectified.
    """
    if not any(coefficients):
        return None
    known = known_model(model)
    if known is None:
        raise ValueError(
            f"distortion model {model!r} is not supported; use one of: {', '.join(COEFFICIENTS)}, "
            "or feed the rectified image"
        )
    if not all(map(math.isfinite, coefficients)):
        raise ValueError(f"coefficients of {known} must be finite, got {coefficients}")
    if max(size) > LARGEST_SIDE:
        raise ValueError(f"an image of {size[1]}x{size[0]} cannot be rectified: no side above {LARGEST_SIDE}")
    known, used = _complete(known, coefficients)
    return Lens(known, tuple(map(float, used)), focal, principal_point, size)


def known_model(name: str) -> str | None:
    """Return ROS's name of a model that tools call otherwise; None for one that is not supported."""
    plain = name.strip().lower().replace(" ", "_").replace("-", "_")
    known = OTHER_NAMES.get(plain, plain)
    return known if known in COEFFICIENTS else None


def _complete(model: str, coefficients: tuple[float, ...]) -> tuple[str, tuple[float, ...]]:
    """Return the model that the number of coefficients belongs to, and they without zeros that only pad.

    plumb_bob is the rational polynomial without its denominator: drivers confuse the names.
    """
    own = COEFFICIENTS[model]
    counts = (
        own if model == "equidistant" else COEFFICIENTS["plumb_bob"] + COEFFICIENTS["rational_polynomial"]
    )
    last = max(i + 1 for i, value in enumerate(coefficients) if value)
    usual = 5 if model == "plumb_bob" else own[0]
    needed = max(last, min(len(coefficients), usual))
    used = next((count for count in counts if needed <= count <= len(coefficients)), None)
    if used is None:
        listed = " or ".join(map(str, counts))
        raise ValueError(f"{model} has {listed} coefficients, got {len(coefficients)}: {coefficients}")
    if model != "equidistant":
        model = "plumb_bob" if used in COEFFICIENTS["plumb_bob"] else "rational_polynomial"
    return model, coefficients[:used]


def to_image(ideal: Float[Tensor, "*batch 2"], lens: Lens) -> Float[Tensor, "*batch 2"]:
    """Distort `ideal` pixels: find where the lens shows them.

    NaN beyond the angle at which the polynomial folds back: no image pixel shows that.
    """
    shown, _ = _shown(_rays(ideal, lens), lens)
    return torch.from_numpy(shown).view(ideal.shape).to(ideal)


def to_ideal(pixels: Float[Tensor, "*batch 2"], lens: Lens) -> Float[Tensor, "*batch 2"]:
    """Invert `to_image`, by Newton's method; NaN where no direction is shown at a pixel.

    cv2.undistortPoints repeats a fixed-point step instead, which fails in the corners of wide lenses.
    """
    rays = _rays(pixels, lens)
    wanted = rays * lens.focal + lens.principal_point
    for _ in range(NEWTON_STEPS):
        shown, slope = _shown(rays, lens)
        rays = rays - (np.linalg.pinv(np.nan_to_num(slope)) @ (shown - wanted)[..., None])[..., 0]
    miss = np.abs(_shown(rays, lens)[0] - wanted) / lens.focal
    rays[~(miss.max(-1) < 1e-5)] = np.nan
    found = torch.from_numpy(rays * lens.focal + lens.principal_point)
    return found.view(pixels.shape).to(pixels)


def rectify_image(image: UInt8[Tensor, "height width 3"], lens: Lens) -> UInt8[Tensor, "height width 3"]:
    """Resample to the picture a pinhole camera with the same K would take; black where the lens shows
    nothing."""
    return torch.from_numpy(cv2.remap(image.cpu().numpy(), *_maps(lens), cv2.INTER_LINEAR)).to(image.device)


def rectify_depth(depth: Float[Tensor, "height width"], lens: Lens) -> Float[Tensor, "height width"]:
    """Resample depth along optical z without blending surfaces; 0 where the lens shows nothing."""
    return torch.from_numpy(cv2.remap(depth.cpu().numpy(), *_maps(lens), cv2.INTER_NEAREST)).to(depth.device)


@functools.lru_cache(maxsize=8)  # one per camera; a new calibration gets new maps
def _maps(lens: Lens) -> tuple[np.ndarray, np.ndarray]:
    """Compute column and row of the image at every ideal pixel (h, w)."""
    h, w = lens.size
    K, coefficients = _calibration(lens)
    module = cv2.fisheye if lens.model == "equidistant" else cv2
    x, y = module.initUndistortRectifyMap(K, coefficients, np.eye(3), K, (w, h), cv2.CV_32FC1)
    (fx, fy), (cx, cy) = lens.focal, lens.principal_point
    radius = np.hypot((np.arange(w) - cx) / fx, (np.arange(h)[:, None] - cy) / fy)
    x[radius > _fold(lens)] = OUTSIDE
    return x, y


def _rays(pixels: Float[Tensor, "*batch 2"], lens: Lens) -> Float[np.ndarray, "point 2"]:
    """Compute directions (x / z, y / z) of pixels of the pinhole camera."""
    return (pixels.detach().double().cpu().numpy().reshape(-1, 2) - lens.principal_point) / lens.focal


def _shown(rays: Float[np.ndarray, "point 2"], lens: Lens) -> tuple[np.ndarray, np.ndarray]:
    """Project directions (x / z, y / z) to pixels (N, 2), NaN beyond the fold, and derivatives (N, 2, 2)."""
    pixels, slopes = _project(rays, lens)
    pixels[~(np.hypot(*rays.T) <= _fold(lens))] = np.nan
    return pixels, slopes


def _project(rays: Float[np.ndarray, "point 2"], lens: Lens) -> tuple[np.ndarray, np.ndarray]:
    # Derivatives by the x and y of a translation: at depth 1, those by the direction.
    module, moved = (cv2.fisheye, slice(11, 13)) if lens.model == "equidistant" else (cv2, slice(3, 5))
    points = np.concatenate([rays, np.ones((len(rays), 1))], -1)[:, None]
    pixels, slopes = module.projectPoints(points, np.zeros(3), np.zeros(3), *_calibration(lens))
    return pixels.reshape(-1, 2), slopes[:, moved].reshape(-1, 2, 2)


@functools.lru_cache(maxsize=64)
def _fold(lens: Lens) -> float:
    """Find the ideal radius up to which the distorted one grows. Tangential terms,
    thin prisms and a tilted sensor move or shear the image but do not fold it."""
    k = (
        lens.coefficients
        if lens.model == "equidistant"
        else (*lens.coefficients[:2], 0, 0, *lens.coefficients[4:8])
    )
    radius = np.linspace(0, WIDEST, 4001)
    centered = Lens(lens.model, k, (1.0, 1.0), (0.0, 0.0), lens.size)
    shown = _project(np.stack([radius, np.zeros_like(radius)], -1), centered)[0][:, 0]
    falling = np.flatnonzero(np.diff(shown) <= 0)
    return float(radius[falling[0]]) if len(falling) else math.inf


def _calibration(lens: Lens) -> tuple[np.ndarray, np.ndarray]:
    """Return OpenCV's camera matrix and coefficients."""
    (fx, fy), (cx, cy) = lens.focal, lens.principal_point
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]]), np.array(lens.coefficients)
