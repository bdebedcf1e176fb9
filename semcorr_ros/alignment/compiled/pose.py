"""From the numbers that are optimised to keypoints, and gradients back (shape_space.py, free_keypoints.py).

The numbers of one hypothesis are one row, see alignment/numbers.py.
"""

from __future__ import annotations

import math

import numpy as np

from semcorr_ros.alignment.compiled.kernel import kernel
from semcorr_ros.alignment.compiled.tables import Array

F = np.float32
TWO = F(2)


@kernel
def rotation_of(q: Array) -> Array:
    """Matrix of a quaternion (x, y, z, w) of any length."""
    inverse = F(1) / math.sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3])
    x, y, z, w = q[0] * inverse, q[1] * inverse, q[2] * inverse, q[3] * inverse
    r = np.empty((3, 3), np.float32)
    r[0, 0], r[0, 1], r[0, 2] = F(1) - TWO * (y * y + z * z), TWO * (x * y - z * w), TWO * (x * z + y * w)
    r[1, 0], r[1, 1], r[1, 2] = TWO * (x * y + z * w), F(1) - TWO * (x * x + z * z), TWO * (y * z - x * w)
    r[2, 0], r[2, 1], r[2, 2] = TWO * (x * z - y * w), TWO * (y * z + x * w), F(1) - TWO * (x * x + y * y)
    return r


@kernel
def rotation_back(q: Array, s: Array, gradient: Array) -> None:
    """gradient (4,) over a quaternion, given the gradient s (3, 3) over its matrix."""
    inverse = F(1) / math.sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3])
    x, y, z, w = q[0] * inverse, q[1] * inverse, q[2] * inverse, q[3] * inverse
    xy, xz, yz = s[0, 1] + s[1, 0], s[0, 2] + s[2, 0], s[1, 2] + s[2, 1]
    ax, ay, az = s[2, 1] - s[1, 2], s[0, 2] - s[2, 0], s[1, 0] - s[0, 1]
    gx = TWO * (y * xy + z * xz + w * ax - TWO * x * (s[1, 1] + s[2, 2]))
    gy = TWO * (x * xy + z * yz + w * ay - TWO * y * (s[0, 0] + s[2, 2]))
    gz = TWO * (x * xz + y * yz + w * az - TWO * z * (s[0, 0] + s[1, 1]))
    gw = TWO * (x * ax + y * ay + z * az)
    radial = gx * x + gy * y + gz * z + gw * w
    gradient[0] = (gx - radial * x) * inverse
    gradient[1] = (gy - radial * y) * inverse
    gradient[2] = (gz - radial * z) * inverse
    gradient[3] = (gw - radial * w) * inverse


@kernel
def keypoints_of(numbers: Array, sparse: Array, modes: Array, points: Array) -> None:
    """points (3, L) in the camera frame, for one row of numbers of the shape space."""
    count, m = sparse.shape[0], modes.shape[0]
    rotation, scale = rotation_of(numbers[:4]), math.exp(numbers[7])
    shape = np.empty(3, np.float32)
    for i in range(count):
        for k in range(3):
            shape[k] = sparse[i, k] + numbers[8 + m + 3 * i + k]
            for j in range(m):
                shape[k] += numbers[8 + j] * modes[j, 3 * i + k]
        for k in range(3):
            turned = rotation[k, 0] * shape[0] + rotation[k, 1] * shape[1] + rotation[k, 2] * shape[2]
            points[k, i] = scale * turned + numbers[4 + k]


@kernel
def keypoints_back(numbers: Array, sparse: Array, modes: Array, slope: Array, gradient: Array) -> None:
    """gradient over all numbers but the focal length, given the slope (3, L) over the points."""
    count, m = sparse.shape[0], modes.shape[0]
    rotation, scale = rotation_of(numbers[:4]), math.exp(numbers[7])
    turn = np.zeros((3, 3), np.float32)
    shape = np.empty(3, np.float32)
    gradient[: 8 + m] = F(0)
    for i in range(count):
        for k in range(3):
            shape[k] = sparse[i, k] + numbers[8 + m + 3 * i + k]
            for j in range(m):
                shape[k] += numbers[8 + j] * modes[j, 3 * i + k]
            gradient[4 + k] += slope[k, i]
        for k in range(3):
            for n in range(3):
                turn[k, n] += scale * slope[k, i] * shape[n]
        for k in range(3):
            back = rotation[0, k] * slope[0, i] + rotation[1, k] * slope[1, i] + rotation[2, k] * slope[2, i]
            back *= scale
            gradient[7] += back * shape[k]
            gradient[8 + m + 3 * i + k] = back
            for j in range(m):
                gradient[8 + j] += back * modes[j, 3 * i + k]
    rotation_back(numbers[:4], turn, gradient[:4])
