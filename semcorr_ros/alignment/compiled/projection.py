"""Camera-frame points to image coordinates with relief (state.py), how visible they are, and the way back."""

from __future__ import annotations

import math

import numpy as np

from semcorr_ros.alignment.compiled.kernel import kernel
from semcorr_ros.alignment.compiled.tables import Array
from semcorr_ros.alignment.state import MIN_DEPTH
from semcorr_ros.alignment.visibility import HORIZON, SOFTNESS

F = np.float32
NEAR = F(MIN_DEPTH)
TINY = np.finfo(np.float32).tiny
EXPONENT = np.int64(0x7FF0000000000000)  # of a float64: all of these bits say that it is infinite or NaN


@kernel
def project(points: Array, focal: np.float32, surface: np.float32, placed: Array) -> None:
    """points (3, P) in the camera frame to placed (3, P): x, y and relief, all normalized."""
    for i in range(points.shape[1]):
        z = points[2, i]
        scale = focal / max(z, NEAR)
        placed[0, i] = points[0, i] * scale
        placed[1, i] = points[1, i] * scale
        placed[2, i] = focal * (z / surface - F(1))


@kernel
def project_back(
    points: Array, placed: Array, focal: np.float32, surface: np.float32, slope: Array, gradient: Array
) -> np.float32:
    """Adds the gradient over points, given `slope` over placed; returns that over the focal length."""
    total = F(0)
    for i in range(points.shape[1]):
        z = points[2, i]
        scale = focal / max(z, NEAR)
        gradient[0, i] += slope[0, i] * scale
        gradient[1, i] += slope[1, i] * scale
        toward = slope[0, i] * placed[0, i] + slope[1, i] * placed[1, i]
        gradient[2, i] += slope[2, i] * focal / surface - (toward / z if z > NEAR else F(0))
        total += toward + slope[2, i] * placed[2, i]
    return total / focal


@kernel
def log_visibility(points: Array, facing: Array, rotation: Array, visible: Array) -> None:
    """visible (P,) as in visibility.py, for facing (3, P) in the canonical frame; 0 where it is empty."""
    if facing.shape[1] == 0:
        visible[:] = F(0)
        return
    for i in range(points.shape[1]):
        x, y, z = points[0, i], points[1, i], points[2, i]
        length = math.sqrt(x * x + y * y + z * z + TINY)
        fx = rotation[0, 0] * facing[0, i] + rotation[0, 1] * facing[1, i] + rotation[0, 2] * facing[2, i]
        fy = rotation[1, 0] * facing[0, i] + rotation[1, 1] * facing[1, i] + rotation[1, 2] * facing[2, i]
        fz = rotation[2, 0] * facing[0, i] + rotation[2, 1] * facing[1, i] + rotation[2, 2] * facing[2, i]
        turned = -(x * fx + y * fy + z * fz) / length
        behind = max(F(HORIZON) - turned, F(0)) / F(SOFTNESS)
        visible[i] = F(-0.5) * behind * behind


@kernel
def fit_rotation(canonical: Array, points: Array, seen: Array) -> Array:
    """Proper rotation (3, 3) that turns canonical (L, 3) into points (3, L), over the seen keypoints.

    The identity where points are not finite: what LAPACK refuses in compiled code ends the process.
    """
    covariance = np.zeros((3, 3))
    center, mean = np.zeros(3), np.zeros(3)
    for i in seen:
        for k in range(3):
            center[k] += canonical[i, k] / len(seen)
            mean[k] += points[k, i] / len(seen)
    for i in seen:
        for k in range(3):
            for m in range(3):
                covariance[k, m] += (points[k, i] - mean[k]) * (canonical[i, m] - center[m])
    for bits in covariance.reshape(-1).view(np.int64):  # fast arithmetic holds NaN to be impossible
        if bits & EXPONENT == EXPONENT:
            return np.eye(3, dtype=np.float32)
    u, _, vt = np.linalg.svd(covariance)
    if np.linalg.det(u) * np.linalg.det(vt) < 0:
        vt[2] = -vt[2]
    return (u @ vt).astype(np.float32)
