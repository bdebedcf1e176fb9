"""Pinhole projection and its inverse."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.artifacts import Camera

MIN_DEPTH = 1e-6
# Focal lengths in longer sides of the image: 174 degrees of view (below it, K is a normalized one), and 0.06.
SHORTEST, LONGEST = 0.025, 1000.0
SQUEEZED = 4.0  # one focal length over the other
ASIDE = 10.0  # principal point from the middle of the image, in focal lengths: 84 degrees

# A principal point off in x and y by the same factor, of another resolution. Lenses are mounted better.
LARGER, ALIKE = 1.3, 0.15
NORMALIZED = " (normalized? multiply the first row by the width, the second by the height)"


def from_matrix(K: Float[Tensor, "3 3"], size: tuple[int, int], cropped: bool = False) -> Camera:
    """Make a camera from a 3x3 intrinsic matrix in pixels of an image of `size` (h, w); skew is ignored.

    cropped: the image is known to be a part of another one, so that its middle says nothing.
    Raises ValueError for what is no camera's matrix: transposed, normalized, of another image.
    """
    K = torch.as_tensor(K, dtype=torch.float32)
    if K.shape != (3, 3) or not torch.isfinite(K).all() or K[0, 0] <= 0 or K[1, 1] <= 0:
        raise ValueError(f"K must be a finite 3x3 matrix with positive focal lengths, got {K.tolist()}")
    if not torch.allclose(K[2], torch.tensor([0.0, 0.0, 1.0])) or K[1, 0] != 0:
        raise ValueError(f"K must be [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], got {K.tolist()}")
    if all(size):
        _check_plausible(K, size)
        if not cropped:
            _check_resolution(K, size)
    return Camera(focal=K[[0, 1], [0, 1]], principal_point=K[:2, 2], size=size)


def _check_plausible(K: Float[Tensor, "3 3"], size: tuple[int, int]) -> None:
    height, width = size
    fx, fy, cx, cy = (float(value) for value in (K[0, 0], K[1, 1], K[0, 2], K[1, 2]))
    low, high = SHORTEST * max(size), LONGEST * max(size)
    if min(fx, fy) < low or max(fx, fy) > high or max(fx, fy) > SQUEEZED * min(fx, fy):
        raise ValueError(
            f"K must be in pixels of the {width}x{height} image: its focal lengths alike, and between "
            f"{low:g} and {high:g}; got {fx:g} and {fy:g}" + NORMALIZED * (max(fx, fy, cx, cy) < 10)
        )
    if abs(cx - (width - 1) / 2) > ASIDE * fx or abs(cy - (height - 1) / 2) > ASIDE * fy:
        raise ValueError(
            f"K must be in pixels of the {width}x{height} image, but its principal point is "
            f"({cx:g}, {cy:g}) with focal lengths {fx:g} and {fy:g}"
        )


def _check_resolution(K: Float[Tensor, "3 3"], size: tuple[int, int]) -> None:
    height, width = size
    across, down = (2 * float(K[0, 2]) + 1) / width, (2 * float(K[1, 2]) + 1) / height
    alike = abs(across - down) < ALIKE * max(across, down)
    if alike and (min(across, down) > LARGER or max(across, down) < 1 / LARGER):
        raise ValueError(
            f"K must be in pixels of the {width}x{height} image, but its principal point is in the middle of "
            f"one of {across * width:.0f}x{down * height:.0f}: scale K, or give the width and height it is of"
        )


def centered(focal_px: float, size: tuple[int, int]) -> Camera:
    """Make a camera with square pixels and the principal point at the image centre."""
    h, w = size
    return Camera(torch.tensor([focal_px, focal_px]), torch.tensor([(w - 1) / 2, (h - 1) / 2]), size)


def project(points: Float[Tensor, "*batch 3"], camera: Camera) -> Float[Tensor, "*batch 2"]:
    """Project camera-frame points to pixels. Depths below MIN_DEPTH are clamped."""
    z = points[..., 2:].clamp_min(MIN_DEPTH)
    focal, center = camera.focal.to(points), camera.principal_point.to(points)
    return points[..., :2] / z * focal + center


def unproject(
    pixels: Float[Tensor, "*batch 2"], depth: Float[Tensor, "*batch"], camera: Camera
) -> Float[Tensor, "*batch 3"]:
    """Lift pixels with depth along optical z to camera-frame points, in the unit of the depth."""
    focal, center = camera.focal.to(pixels), camera.principal_point.to(pixels)
    xy = (pixels - center) / focal * depth[..., None]
    return torch.cat([xy, depth[..., None]], dim=-1)


def mirrored(camera: Camera) -> Camera:
    """Return the camera of the left/right mirrored image."""
    cx, cy = camera.principal_point
    return Camera(camera.focal, torch.stack([camera.size[1] - 1 - cx, cy]), camera.size)
