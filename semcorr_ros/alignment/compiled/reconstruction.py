"""Value and gradient of terms/reconstruction.py for several hypotheses that look at the same samples."""

from __future__ import annotations

import math

import numpy as np

from semcorr_ros.alignment.compiled.kernel import kernel
from semcorr_ros.alignment.compiled.tables import Array, Index, Samples

F = np.float32


@kernel
def explain(
    samples: Samples,
    rows: Index,
    placed: Array,
    visible: Array,
    focals: Array,
    sigma: np.float32,
    weight: np.float32,
    slope: Array,
    slope_focal: Array,
    value: Array,
) -> None:
    """max_i p_rec(xy, i) over the samples `rows`, for hypotheses in placed (H, 3, P), visible (H, P).

    Adds `weight` times the gradient of the negative mean over placed and over focals (H,), and the
    unweighted negative mean to value (H,). Samples are the outer loop: a row of the similarities is
    read from memory once for all hypotheses.
    """
    hypotheses, points = visible.shape
    cost = np.empty(points, np.float32)
    sharp = F(0.5) / (sigma * sigma)
    share = F(1) / F(rows.size)
    for k in range(rows.size):
        s = rows[k]
        x, y, rest, w = samples.x[s], samples.y[s], samples.relief[s], samples.relief_weight[s]
        for h in range(hypotheses):
            relief = focals[h] * rest
            u, v, r = placed[h, 0], placed[h, 1], placed[h, 2]
            i = cheapest(samples.log_semantic[s], visible[h], (u, v, r), (x, y, relief, w, sharp), cost)
            likelihood = math.exp(-cost[i])
            value[h] -= share * likelihood
            pull = F(-2) * sharp * share * weight * likelihood
            slope[h, 0, i] += pull * (x - u[i])
            slope[h, 1, i] += pull * (y - v[i])
            relief_pull = pull * w * (relief - r[i])
            slope[h, 2, i] += relief_pull
            slope_focal[h] -= relief_pull * rest


@kernel
def cheapest(
    semantic: Array,
    visible: Array,
    placed: tuple[Array, Array, Array],
    sample: tuple[np.float32, np.float32, np.float32, np.float32, np.float32],
    cost: Array,
) -> int:
    """Writes -log p_rec of every point to cost (P,) and returns where it is smallest.

    A cost is never negative, so its bits order like integers - whose minimum, unlike that of floats,
    the compiler turns into vector instructions (6 times faster, measured).
    """
    u, v, r = placed
    x, y, relief, w, sharp = sample
    bits = cost.view(np.int32)
    least = np.int32(2147483647)
    for i in range(cost.size):
        du, dv, dr = x - u[i], y - v[i], relief - r[i]
        found = F(sharp * (du * du + dv * dv + w * dr * dr) - semantic[i] - visible[i])
        bits[i] = found.view(np.int32)
        least = min(least, bits[i])
    count = np.int32(cost.size)
    at = count
    for i in range(count):
        here = np.int32(i) if bits[i] == least else count
        at = min(at, here)
    return at
