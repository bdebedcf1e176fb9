"""The proper rotation that turns the class's keypoints into a hypothesis best, without a decomposition.

Horn's 4 x 4 matrix has the rotation's quaternion as eigenvector of its largest eigenvalue; squaring
the matrix over and over leaves nothing but that vector.
"""

from __future__ import annotations

import triton
import triton.language as tl

SQUARINGS = tl.constexpr(14)  # powers of 16384: eigenvalues a thousandth apart are told apart
TINY = tl.constexpr(1e-30)


@triton.jit
def fit_rotation(known, ids, px, py, pz, LP: tl.constexpr):
    """Fit the rotation canonical -> camera; returns its quaternion x, y, z, w, of any length.

    known: canonical keypoints (3, LP), then each one's share of the mean (LP,).
    """
    share = tl.load(known + 3 * LP + ids)
    cx, cy, cz = tl.load(known + ids), tl.load(known + LP + ids), tl.load(known + 2 * LP + ids)
    cx, cy, cz = cx - tl.sum(share * cx), cy - tl.sum(share * cy), cz - tl.sum(share * cz)
    qx = share * (px - tl.sum(share * px))
    qy = share * (py - tl.sum(share * py))
    qz = share * (pz - tl.sum(share * pz))
    xx, xy, xz = tl.sum(cx * qx), tl.sum(cx * qy), tl.sum(cx * qz)
    yx, yy, yz = tl.sum(cy * qx), tl.sum(cy * qy), tl.sum(cy * qz)
    zx, zy, zz = tl.sum(cz * qx), tl.sum(cz * qy), tl.sum(cz * qz)
    # Shifted by a bound of all eigenvalues, so that the largest is the largest in magnitude, too.
    squares = xx * xx + xy * xy + xz * xz + yx * yx + yy * yy + yz * yz + zx * zx + zy * zy + zz * zz
    bound = 2 * tl.sqrt(squares)
    a, b, c, d = xx + yy + zz + bound, yz - zy, zx - xz, xy - yx
    e, f, g = xx - yy - zz + bound, xy + yx, zx + xz
    h, i, j = yy - xx - zz + bound, yz + zy, zz - xx - yy + bound
    for _ in range(SQUARINGS):
        scale = 1.0 / (a + e + h + j + TINY)
        a, b, c, d, e, f, g, h, i, j = (
            a * scale, b * scale, c * scale, d * scale, e * scale,
            f * scale, g * scale, h * scale, i * scale, j * scale,
        )  # fmt: skip
        a, b, c, d, e, f, g, h, i, j = (
            a * a + b * b + c * c + d * d, a * b + b * e + c * f + d * g,
            a * c + b * f + c * h + d * i, a * d + b * g + c * i + d * j,
            b * b + e * e + f * f + g * g, b * c + e * f + f * h + g * i,
            b * d + e * g + f * i + g * j, c * c + f * f + h * h + i * i,
            c * d + f * g + h * i + i * j, d * d + g * g + i * i + j * j,
        )  # fmt: skip
    # Any column is the vector times one of its entries; the one with the largest entry is the safest.
    most = tl.maximum(tl.maximum(a, e), tl.maximum(h, j))
    w = tl.where(a == most, a, tl.where(e == most, b, tl.where(h == most, c, d)))
    x = tl.where(a == most, b, tl.where(e == most, e, tl.where(h == most, f, g)))
    y = tl.where(a == most, c, tl.where(e == most, f, tl.where(h == most, h, i)))
    z = tl.where(a == most, d, tl.where(e == most, g, tl.where(h == most, i, j)))
    return x, y, z, w
