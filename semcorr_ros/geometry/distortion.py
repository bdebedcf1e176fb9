"""Lens distortion as calibration tools write it: plumb_bob, rational_polynomial and equidistant.

"Ideal" pixels are those of the pinhole camera with the same K; "image" pixels are where the lens puts
them. Formulas: OpenCV's calib3d and fisheye models, whose names in ROS (sensor_msgs/distortion_models)
are the keys of COEFFICIENTS.
"""

from __future__ import annotations

import functools
import math

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from semcorr_ros.artifacts import Lens

COEFFICIENTS = {"plumb_bob": (4, 5), "rational_polynomial": (8,), "equidistant": (4,)}
NEWTON_STEPS = 8
WIDEST = 4.0  # tangent of the largest angle from the optical axis that is looked at


def make_lens(
    model: str,
    coefficients: tuple[float, ...],
    focal: tuple[float, float],
    principal_point: tuple[float, float],
    size: tuple[int, int],
) -> Lens | None:
    """Make a lens.

    None where there is nothing to correct. Raises ValueError for a model or count that is not known.
    """
    if not any(coefficients):
        return None
    if model not in COEFFICIENTS:
        raise ValueError(
            f"distortion model {model!r} is not supported; use one of: {', '.join(COEFFICIENTS)}, "
            "or feed the rectified image"
        )
    # Calibration files pad with zeros, also to the 12 and 14 coefficients of thin prism and tilted models.
    known = max(COEFFICIENTS[model])
    if len(coefficients) < min(COEFFICIENTS[model]) or any(coefficients[known:]):
        counts = " or ".join(map(str, COEFFICIENTS[model]))
        raise ValueError(f"{model} has {counts} coefficients, got {len(coefficients)}: {coefficients}")
    if not all(map(math.isfinite, coefficients)):
        raise ValueError(f"coefficients of {model} must be finite, got {coefficients}")
    return Lens(model, tuple(map(float, coefficients[:known])), focal, principal_point, size)


def to_image(ideal: Float[Tensor, "*batch 2"], lens: Lens) -> Float[Tensor, "*batch 2"]:
    """Compute where the lens shows what a pinhole camera would show at `ideal` pixels.

    NaN beyond the angle at which the polynomial folds back: no image pixel shows that.
    """
    focal, center = _intrinsics(ideal, lens)
    return _distort((ideal - center) / focal, lens) * focal + center


def to_ideal(pixels: Float[Tensor, "*batch 2"], lens: Lens) -> Float[Tensor, "*batch 2"]:
    """Invert `to_image` by Newton's method; NaN where no direction is shown at a pixel."""
    focal, center = _intrinsics(pixels, lens)
    wanted = ((pixels - center) / focal).double()
    found = wanted.clone()
    for _ in range(NEWTON_STEPS):
        miss = _distort(found, lens) - wanted
        found = found - (torch.linalg.pinv(_jacobian(found, lens).nan_to_num()) @ miss[..., None])[..., 0]
    settled = (_distort(found, lens) - wanted).abs().amax(-1, keepdim=True) < 1e-5
    return torch.where(settled, found, torch.nan).to(pixels) * focal + center


def rectify_image(image: UInt8[Tensor, "height width 3"], lens: Lens) -> UInt8[Tensor, "height width 3"]:
    """Resample to the picture a pinhole camera with the same K would take.

    Black where the lens shows nothing.
    """
    grid = _sampling_grid(lens).to(image.device)
    planes = image.permute(2, 0, 1)[None].float()
    found = torch.nn.functional.grid_sample(planes, grid, "bilinear", "zeros", align_corners=True)
    return found[0].permute(1, 2, 0).round().clamp(0, 255).to(torch.uint8).contiguous()


def rectify_depth(depth: Float[Tensor, "height width"], lens: Lens) -> Float[Tensor, "height width"]:
    """Resample depth along optical z without blending surfaces; 0 where the lens shows nothing."""
    grid = _sampling_grid(lens).to(depth.device)
    found = torch.nn.functional.grid_sample(depth[None, None], grid, "nearest", "zeros", align_corners=True)
    return found[0, 0]


@functools.lru_cache(maxsize=8)  # one per camera; a new calibration gets a new map
def _sampling_grid(lens: Lens) -> Float[Tensor, "1 height width 2"]:
    h, w = lens.size
    y, x = torch.meshgrid(torch.arange(h).double(), torch.arange(w).double(), indexing="ij")
    pixels = to_image(torch.stack([x, y], -1), lens)
    largest = torch.tensor([w - 1, h - 1]).clamp_min(1)
    return (pixels / largest * 2 - 1).nan_to_num(nan=-2.0)[None].float()


def _intrinsics(pixels: Tensor, lens: Lens) -> tuple[Tensor, Tensor]:
    return pixels.new_tensor(lens.focal), pixels.new_tensor(lens.principal_point)


def _distort(xy: Float[Tensor, "*batch 2"], lens: Lens) -> Float[Tensor, "*batch 2"]:
    """Map normalized directions (x / z, y / z), ideal to shown."""
    squared = (xy**2).sum(-1, keepdim=True)
    bent = xy * _gain(squared, lens) + _tangential(xy, squared, lens)
    return torch.where(squared.sqrt() <= _fold(lens), bent, torch.nan)


def _gain(squared: Tensor, lens: Lens) -> Tensor:
    """Divide the shown by the ideal radius, for a squared ideal radius."""
    k = lens.coefficients
    if lens.model == "equidistant":
        radius = squared.sqrt().clamp_min(1e-9)
        t = torch.atan(radius)
        bent = t * (1 + k[0] * t**2 + k[1] * t**4 + k[2] * t**6 + k[3] * t**8)
        return torch.where(squared > 1e-16, bent / radius, torch.ones_like(radius))
    k3 = k[4] if len(k) > 4 else 0.0
    gain = 1 + squared * (k[0] + squared * (k[1] + squared * k3))
    if lens.model == "rational_polynomial":
        gain = gain / (1 + squared * (k[5] + squared * (k[6] + squared * k[7])))
    return gain


def _tangential(xy: Tensor, squared: Tensor, lens: Lens) -> Tensor:
    if lens.model == "equidistant":
        return torch.zeros_like(xy)
    p1, p2 = lens.coefficients[2:4]
    product = 2 * xy.prod(-1, keepdim=True)
    x, y = xy[..., :1], xy[..., 1:]
    across = p1 * product + p2 * (squared + 2 * x**2)
    return torch.cat([across, p1 * (squared + 2 * y**2) + p2 * product], -1)


def _jacobian(xy: Tensor, lens: Lens) -> Float[Tensor, "*batch 2 2"]:
    """Differentiate `_distort` by central differences."""
    step = 1e-6
    columns = []
    for axis in torch.eye(2, dtype=xy.dtype, device=xy.device) * step:
        columns.append((_distort(xy + axis, lens) - _distort(xy - axis, lens)) / (2 * step))
    return torch.stack(columns, -1)


@functools.lru_cache(maxsize=64)
def _fold(lens: Lens) -> float:
    """Find the ideal radius up to which the shown radius grows."""
    radius = torch.linspace(0, WIDEST, 4001, dtype=torch.float64)
    shown = radius * _gain(radius**2, lens)
    falling = (shown.diff() <= 0).nonzero()
    return float(radius[falling[0, 0]]) if len(falling) else math.inf
