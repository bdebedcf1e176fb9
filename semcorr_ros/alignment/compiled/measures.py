"""The measures of terms/geometry.py on a block of combinations: from edges to penalties and slopes.

A block is one flat array, BLOCK numbers per row; rows are x, y, z, length of one edge after the other.
Distances known to the compiler let it work on many combinations at once.
"""

from __future__ import annotations

import math

import numpy as np

from semcorr_ros.alignment.compiled.betas import HALF, ONE, angle_of, beta_slope, beta_value
from semcorr_ros.alignment.compiled.kernel import kernel
from semcorr_ros.alignment.compiled.tables import BLOCK, Array
from semcorr_ros.representation.geometry_measures import DEGENERATE_SINE

F = np.float32
SINE = F(DEGENERATE_SINE)
PER_TURN = F(1 / math.pi)
X, Y, Z, LENGTH, EDGE = 0, BLOCK, 2 * BLOCK, 3 * BLOCK, 4 * BLOCK


@kernel
def edge_pairs(work: Array, alpha: Array, beta: Array, with_value: bool) -> F:
    """Angle and ratio of two edges; alpha, beta (2, BLOCK).

    In place of the edges come the slopes over them. Returns the penalties' sum, or 0 where it is not
    wanted.
    """
    value = F(0)
    (a0, a1), (b0, b1) = (alpha[0], alpha[1]), (beta[0], beta[1])
    for k in range(BLOCK):
        px, py, pz, p = work[k + X], work[k + Y], work[k + Z], work[k + LENGTH]
        q = work[k + EDGE + LENGTH]
        qx, qy, qz = work[k + EDGE + X], work[k + EDGE + Y], work[k + EDGE + Z]
        cosine = px * qx + py * qy + pz * qz
        sine = math.sqrt(max((ONE - cosine) * (ONE + cosine), F(0)) + SINE)
        angle = angle_of(sine, cosine) * PER_TURN
        inverse = ONE / (p + q)
        ratio = p * inverse
        if with_value:
            value += beta_value(angle, a0[k], b0[k]) + beta_value(ratio, a1[k], b1[k])
        g = -beta_slope(angle, a0[k], b0[k]) * PER_TURN / sine
        h = beta_slope(ratio, a1[k], b1[k]) * inverse
        work[k + X], work[k + Y], work[k + Z] = g * qx, g * qy, g * qz
        work[k + LENGTH] = h * (ONE - ratio)
        work[k + EDGE + X], work[k + EDGE + Y], work[k + EDGE + Z] = g * px, g * py, g * pz
        work[k + EDGE + LENGTH] = -h * ratio
    return value


@kernel
def frames(work: Array, alpha: Array, beta: Array, with_value: bool) -> F:
    """Direction cosines of an edge r in the frame that edges x and s span; alpha, beta (3, BLOCK)."""
    value = F(0)
    (a0, a1, a2), (b0, b1, b2) = (alpha[0], alpha[1], alpha[2]), (beta[0], beta[1], beta[2])
    for k in range(BLOCK):
        xx, xy, xz = work[k + X], work[k + Y], work[k + Z]
        sx, sy, sz = work[k + EDGE + X], work[k + EDGE + Y], work[k + EDGE + Z]
        rx, ry, rz = work[k + 2 * EDGE + X], work[k + 2 * EDGE + Y], work[k + 2 * EDGE + Z]
        along = xx * rx + xy * ry + xz * rz
        across = xx * sx + xy * sy + xz * sz
        ray_side = rx * sx + ry * sy + rz * sz
        nx, ny, nz = xy * sz - xz * sy, xz * sx - xx * sz, xx * sy - xy * sx
        raised = nx * rx + ny * ry + nz * rz
        flat = (ONE - across) * (ONE + across)
        inverse = ONE / math.sqrt(max(flat, F(0)) + SINE)
        cos_y = (ray_side - across * along) * inverse
        cos_z = raised * inverse
        x, y, z = HALF * along + HALF, HALF * cos_y + HALF, HALF * cos_z + HALF
        if with_value:
            value += beta_value(x, a0[k], b0[k]) + beta_value(y, a1[k], b1[k])
            value += beta_value(z, a2[k], b2[k])
        gx = HALF * beta_slope(x, a0[k], b0[k])
        gy = HALF * beta_slope(y, a1[k], b1[k]) * inverse
        gz = HALF * beta_slope(z, a2[k], b2[k]) * inverse
        g_along = gx - gy * across
        # d inverse / d across = across * inverse^3
        lean = across * inverse * (gy * cos_y + gz * cos_z) if flat > F(0) else F(0)
        g_across = -gy * along + lean
        # raised = (x cross s) . r = (s cross r) . x = (r cross x) . s
        work[k + X] = g_along * rx + g_across * sx + gz * (sy * rz - sz * ry)
        work[k + Y] = g_along * ry + g_across * sy + gz * (sz * rx - sx * rz)
        work[k + Z] = g_along * rz + g_across * sz + gz * (sx * ry - sy * rx)
        work[k + EDGE + X] = gy * rx + g_across * xx + gz * (ry * xz - rz * xy)
        work[k + EDGE + Y] = gy * ry + g_across * xy + gz * (rz * xx - rx * xz)
        work[k + EDGE + Z] = gy * rz + g_across * xz + gz * (rx * xy - ry * xx)
        work[k + 2 * EDGE + X] = g_along * xx + gy * sx + gz * nx
        work[k + 2 * EDGE + Y] = g_along * xy + gy * sy + gz * ny
        work[k + 2 * EDGE + Z] = g_along * xz + gy * sz + gz * nz
    return value
