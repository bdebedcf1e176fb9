"""Value and gradient of terms/background.py, given the blurred background of one step."""

from __future__ import annotations

import math

import numpy as np

from semcorr_ros.alignment.compiled.kernel import kernel
from semcorr_ros.alignment.compiled.tables import Array

F = np.float32


@kernel
def spill(
    blurred: Array, low: Array, per_unit: Array, placed: Array, weight: np.float32, slope: Array
) -> np.float32:
    """Mean background at placed (3, P), 0 outside the lookup (row, column) whose node (0, 0) is at `low`.

    Adds `weight` times its gradient to slope (3, P).
    """
    rows, columns = blurred.shape
    points = placed.shape[1]
    share = F(1) / F(points)
    value = F(0)
    for i in range(points):
        x, y = (placed[0, i] - low[0]) * per_unit[0], (placed[1, i] - low[1]) * per_unit[1]
        if not (x > F(-1) and y > F(-1) and x < F(columns) and y < F(rows)):
            continue
        column, row = math.floor(x), math.floor(y)
        fx, fy = x - column, y - row
        left, right, top, bottom = column >= 0, column + 1 < columns, row >= 0, row + 1 < rows
        a = blurred[row, column] if left and top else F(0)
        b = blurred[row, column + 1] if right and top else F(0)
        c = blurred[row + 1, column] if left and bottom else F(0)
        d = blurred[row + 1, column + 1] if right and bottom else F(0)
        upper, lower = a + (b - a) * fx, c + (d - c) * fx
        value += share * (upper + (lower - upper) * fy)
        slope[0, i] += weight * share * ((b - a) * (F(1) - fy) + (d - c) * fy) * per_unit[0]
        slope[1, i] += weight * share * (lower - upper) * per_unit[1]
    return value
