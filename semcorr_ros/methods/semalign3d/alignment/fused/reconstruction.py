"""Value and slopes of terms/reconstruction.py, a tile of samples against all class points at a time."""

from __future__ import annotations

import triton
import triton.language as tl

# Slopes are summed as integers of this unit: whole numbers add up the same in any order.
UNIT = tl.constexpr(float(2**40))
NEVER = tl.constexpr(-1e9)


@triton.jit
def explain(
    u, v, r, visible, ids, used,
    samples, semantic, stride, rows, pool, focal, sigma, weight, placed, sums, batch,
    TILE: tl.constexpr, SIZE: tl.constexpr,
):  # fmt: skip
    """Compute the negative mean of max_i p_rec over `rows`, and slopes over u, v, r and focal length.

    u, v, r, visible (SIZE,): where the class points are; samples (4, pool): x, y, relief, its weight;
    placed (3, SIZE) and sums (3, SIZE) are room to work in.
    """
    tl.store(placed + ids, u)
    tl.store(placed + SIZE + ids, v)
    tl.store(placed + 2 * SIZE + ids, r)
    nothing = tl.zeros([SIZE], tl.int64)
    for axis in tl.static_range(3):
        tl.store(sums + axis * SIZE + ids, nothing)
    tl.debug_barrier()
    sharp = 0.5 / (sigma * sigma)
    hidden = tl.where(used, visible, NEVER)
    value, slope_focal = 0.0, 0.0
    for first in range(0, batch, TILE):
        drawn = first + tl.arange(0, TILE) < batch
        s = tl.load(rows + first + tl.arange(0, TILE), mask=drawn, other=0)
        x, y = tl.load(samples + s), tl.load(samples + pool + s)
        rest, w = tl.load(samples + 2 * pool + s), tl.load(samples + 3 * pool + s)
        relief = focal * rest
        tile = semantic + s[:, None] * stride + ids[None, :]
        alike = tl.load(tile, mask=used[None, :], other=NEVER)
        du, dv, dr = x[:, None] - u[None, :], y[:, None] - v[None, :], relief[:, None] - r[None, :]
        cost = sharp * (du * du + dv * dv + w[:, None] * dr * dr) - alike - hidden[None, :]
        least, i = tl.min(cost, 1, return_indices=True)
        likelihood = tl.where(drawn, tl.exp(-least), 0.0)
        pull = (-2.0 / batch) * sharp * weight * likelihood
        relief_pull = pull * w * (relief - tl.load(placed + 2 * SIZE + i))
        tl.atomic_add(sums + i, (pull * (x - tl.load(placed + i)) * UNIT).to(tl.int64))
        tl.atomic_add(sums + SIZE + i, (pull * (y - tl.load(placed + SIZE + i)) * UNIT).to(tl.int64))
        tl.atomic_add(sums + 2 * SIZE + i, (relief_pull * UNIT).to(tl.int64))
        value -= tl.sum(likelihood) / batch
        slope_focal -= tl.sum(relief_pull * rest)
    tl.debug_barrier()
    su = tl.load(sums + ids).to(tl.float32) / UNIT
    sv = tl.load(sums + SIZE + ids).to(tl.float32) / UNIT
    sr = tl.load(sums + 2 * SIZE + ids).to(tl.float32) / UNIT
    return value, su, sv, sr, slope_focal
