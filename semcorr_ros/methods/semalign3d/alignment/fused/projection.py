"""Camera-frame points to image coordinates with relief, visibility, background, and the way back."""

from __future__ import annotations

import triton
import triton.language as tl

from semcorr_ros.methods.semalign3d.alignment.state import MIN_DEPTH
from semcorr_ros.methods.semalign3d.alignment.visibility import HORIZON, SOFTNESS

NEAR, LEVEL, SOFT = tl.constexpr(MIN_DEPTH), tl.constexpr(HORIZON), tl.constexpr(SOFTNESS)
TINY = tl.constexpr(1e-38)


@triton.jit
def project(x, y, z, focal, surface):
    """Project to x, y and relief in normalized image coordinates (alignment/state.py)."""
    scale = focal / tl.maximum(z, NEAR)
    return x * scale, y * scale, focal * (z / surface - 1.0)


@triton.jit
def project_back(x, y, z, u, v, r, focal, surface, su, sv, sr):
    """Backpropagate slopes over u, v, r to x, y, z and the focal length."""
    scale = focal / tl.maximum(z, NEAR)
    toward = su * u + sv * v
    sz = sr * focal / surface - tl.where(z > NEAR, toward / tl.maximum(z, NEAR), 0.0)
    return su * scale, sv * scale, sz, tl.sum(toward + sr * r) / focal


@triton.jit
def log_visibility(x, y, z, facing, ids, qx, qy, qz, qw, SIZE: tl.constexpr):
    """Compute log visibility as in visibility.py; facing (3, SIZE), canonical, is turned by a quaternion."""
    fx, fy, fz = tl.load(facing + ids), tl.load(facing + SIZE + ids), tl.load(facing + 2 * SIZE + ids)
    inverse = 1.0 / tl.sqrt(qx * qx + qy * qy + qz * qz + qw * qw + TINY)
    qx, qy, qz, qw = qx * inverse, qy * inverse, qz * inverse, qw * inverse
    tx, ty, tz = 2 * (qy * fz - qz * fy), 2 * (qz * fx - qx * fz), 2 * (qx * fy - qy * fx)
    nx = fx + qw * tx + qy * tz - qz * ty
    ny = fy + qw * ty + qz * tx - qx * tz
    nz = fz + qw * tz + qx * ty - qy * tx
    turned = -(x * nx + y * ny + z * nz) / tl.sqrt(x * x + y * y + z * z + TINY)
    behind = tl.maximum(-(turned - LEVEL), 0.0) / SOFT
    return -0.5 * behind * behind


@triton.jit
def spill(u, v, used, blurred, rows, columns, low_x, low_y, per_x, per_y, share):
    """Sample the background at u, v, bilinear, 0 outside: `share` of its sum, and slopes over u, v."""
    x, y = (u - low_x) * per_x, (v - low_y) * per_y
    inside = used & (x > -1.0) & (y > -1.0) & (x < columns) & (y < rows)
    column, row = tl.floor(x), tl.floor(y)
    fx, fy = x - column, y - row
    i = row.to(tl.int32) * columns + column.to(tl.int32)
    left, right = inside & (column >= 0), inside & (column + 1 < columns)
    top, bottom = row >= 0, row + 1 < rows
    a = tl.load(blurred + i, mask=left & top, other=0.0)
    b = tl.load(blurred + i + 1, mask=right & top, other=0.0)
    c = tl.load(blurred + i + columns, mask=left & bottom, other=0.0)
    d = tl.load(blurred + i + columns + 1, mask=right & bottom, other=0.0)
    upper, lower = a + (b - a) * fx, c + (d - c) * fx
    su = share * ((b - a) * (1.0 - fy) + (d - c) * fy) * per_x
    sv = share * (lower - upper) * per_y
    return share * tl.sum(upper + (lower - upper) * fy), su, sv
