"""From the numbers that are optimised to keypoints, and gradients back; as alignment/compiled/pose.py.

Functions here run once per hypothesis; scalars are scalars, keypoints are vectors of LP >= L lanes.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def rotation_of(x, y, z, w):
    """Convert a quaternion of any length to the nine entries of its matrix, row by row."""
    inverse = 1.0 / tl.sqrt(x * x + y * y + z * z + w * w)
    x, y, z, w = x * inverse, y * inverse, z * inverse, w * inverse
    return (
        1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),
        2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
        2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y),
    )  # fmt: skip


@triton.jit
def shape_of(numbers, known, ids, L, M, LP: tl.constexpr, MP: tl.constexpr, MODES: tl.constexpr):
    """Deform the canonical keypoints by modes and residual: x, y, z (LP,)."""
    m = tl.arange(0, MP)
    share = tl.load(numbers + 8 + m, mask=m < M, other=0.0)
    residual = numbers + 8 + M + 3 * ids
    used = ids < L
    tile = known + MODES + m[:, None] * LP + ids[None, :]
    x = tl.load(known + ids) + tl.load(residual, mask=used, other=0.0)
    y = tl.load(known + LP + ids) + tl.load(residual + 1, mask=used, other=0.0)
    z = tl.load(known + 2 * LP + ids) + tl.load(residual + 2, mask=used, other=0.0)
    x += tl.sum(share[:, None] * tl.load(tile), 0)
    y += tl.sum(share[:, None] * tl.load(tile + MP * LP), 0)
    z += tl.sum(share[:, None] * tl.load(tile + 2 * MP * LP), 0)
    return x, y, z


@triton.jit
def keypoints_of(
    numbers, known, ids, L, M, LP: tl.constexpr, MP: tl.constexpr, MODES: tl.constexpr, FREE: tl.constexpr
):
    """Place the keypoints in the camera frame: x, y, z (LP,); lanes from L on are undefined."""
    if FREE:
        used = ids < L
        px = tl.load(numbers + 3 * ids, mask=used, other=0.0)
        py = tl.load(numbers + 3 * ids + 1, mask=used, other=0.0)
        pz = tl.load(numbers + 3 * ids + 2, mask=used, other=0.0)
        return px, py, pz
    x, y, z = shape_of(numbers, known, ids, L, M, LP, MP, MODES)
    qx, qy, qz, qw = tl.load(numbers), tl.load(numbers + 1), tl.load(numbers + 2), tl.load(numbers + 3)
    a, b, c, d, e, f, g, h, i = rotation_of(qx, qy, qz, qw)
    scale = tl.exp(tl.load(numbers + 7))
    px = scale * (a * x + b * y + c * z) + tl.load(numbers + 4)
    py = scale * (d * x + e * y + f * z) + tl.load(numbers + 5)
    pz = scale * (g * x + h * y + i * z) + tl.load(numbers + 6)
    return px, py, pz


@triton.jit
def rotation_back(numbers, gradient, s00, s01, s02, s10, s11, s12, s20, s21, s22):
    """Store the gradient over the quaternion, given that over its matrix."""
    x, y, z, w = tl.load(numbers), tl.load(numbers + 1), tl.load(numbers + 2), tl.load(numbers + 3)
    inverse = 1.0 / tl.sqrt(x * x + y * y + z * z + w * w)
    x, y, z, w = x * inverse, y * inverse, z * inverse, w * inverse
    xy, xz, yz = s01 + s10, s02 + s20, s12 + s21
    ax, ay, az = s21 - s12, s02 - s20, s10 - s01
    gx = 2 * (y * xy + z * xz + w * ax - 2 * x * (s11 + s22))
    gy = 2 * (x * xy + z * yz + w * ay - 2 * y * (s00 + s22))
    gz = 2 * (x * xz + y * yz + w * az - 2 * z * (s00 + s11))
    gw = 2 * (x * ax + y * ay + z * az)
    radial = gx * x + gy * y + gz * z + gw * w
    tl.store(gradient, (gx - radial * x) * inverse)
    tl.store(gradient + 1, (gy - radial * y) * inverse)
    tl.store(gradient + 2, (gz - radial * z) * inverse)
    tl.store(gradient + 3, (gw - radial * w) * inverse)


@triton.jit
def keypoints_back(
    numbers, known, ids, sx, sy, sz, gradient, L, M,
    LP: tl.constexpr, MP: tl.constexpr, MODES: tl.constexpr, FREE: tl.constexpr,
):  # fmt: skip
    """Store the gradient over all numbers but the focal length, given slopes (LP,) over keypoints."""
    used = ids < L
    if FREE:
        tl.store(gradient + 3 * ids, sx, mask=used)
        tl.store(gradient + 3 * ids + 1, sy, mask=used)
        tl.store(gradient + 3 * ids + 2, sz, mask=used)
    else:
        x, y, z = shape_of(numbers, known, ids, L, M, LP, MP, MODES)
        qx, qy, qz, qw = tl.load(numbers), tl.load(numbers + 1), tl.load(numbers + 2), tl.load(numbers + 3)
        a, b, c, d, e, f, g, h, i = rotation_of(qx, qy, qz, qw)
        scale = tl.exp(tl.load(numbers + 7))
        rotation_back(
            numbers, gradient,
            scale * tl.sum(sx * x), scale * tl.sum(sx * y), scale * tl.sum(sx * z),
            scale * tl.sum(sy * x), scale * tl.sum(sy * y), scale * tl.sum(sy * z),
            scale * tl.sum(sz * x), scale * tl.sum(sz * y), scale * tl.sum(sz * z),
        )  # fmt: skip
        tl.store(gradient + 4, tl.sum(sx))
        tl.store(gradient + 5, tl.sum(sy))
        tl.store(gradient + 6, tl.sum(sz))
        bx = scale * (a * sx + d * sy + g * sz)
        by = scale * (b * sx + e * sy + h * sz)
        bz = scale * (c * sx + f * sy + i * sz)
        tl.store(gradient + 7, tl.sum(bx * x + by * y + bz * z))
        m = tl.arange(0, MP)
        tile = known + MODES + m[:, None] * LP + ids[None, :]
        share = tl.sum(bx[None, :] * tl.load(tile), 1) + tl.sum(by[None, :] * tl.load(tile + MP * LP), 1)
        share += tl.sum(bz[None, :] * tl.load(tile + 2 * MP * LP), 1)
        tl.store(gradient + 8 + m, share, mask=m < M)
        residual = gradient + 8 + M + 3 * ids
        tl.store(residual, bx, mask=used)
        tl.store(residual + 1, by, mask=used)
        tl.store(residual + 2, bz, mask=used)
