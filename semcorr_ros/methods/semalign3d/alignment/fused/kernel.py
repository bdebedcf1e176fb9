"""A run of Adam steps on the objective: one program per hypothesis, one launch for all steps.

Layouts of the flat arrays are those of tables.py. What threads hand to each other goes through
memory, with a barrier between writing and reading.
"""

from __future__ import annotations

import triton
import triton.language as tl

from semcorr_ros.methods.semalign3d.alignment.fused.geometry import geometry
from semcorr_ros.methods.semalign3d.alignment.fused.pose import keypoints_back, keypoints_of
from semcorr_ros.methods.semalign3d.alignment.fused.projection import (
    log_visibility,
    project,
    project_back,
    spill,
)
from semcorr_ros.methods.semalign3d.alignment.fused.reconstruction import explain
from semcorr_ros.methods.semalign3d.alignment.fused.rotation_fit import fit_rotation
from semcorr_ros.methods.semalign3d.alignment.terms.depth import SURFACE_TO_CENTER

BEHIND = tl.constexpr(SURFACE_TO_CENTER)
NEW1, NEW2, SMALL = tl.constexpr(0.1), tl.constexpr(0.001), tl.constexpr(1e-8)  # Adam's 1 - beta, epsilon
COLUMNS = tl.constexpr(16)  # of a row of the plan


@triton.jit
def descend(
    numbers, first, second, surfaces, values, points,
    known, links, samples, dense_like, sparse_like, rows, plan, blurred, scratch, sums,
    steps, L, N, M, P, pool, pairs, pair_edges, triples, triple_edges, map_rows, map_columns, room,
    batch, holds, at_mode, LP: tl.constexpr, NP: tl.constexpr, MP: tl.constexpr, PP: tl.constexpr,
    PAIR_DEPTH: tl.constexpr, TRIPLE_DEPTH: tl.constexpr, TILE: tl.constexpr,
    BLOCK: tl.constexpr, ROWS: tl.constexpr, FREE: tl.constexpr, TURNED: tl.constexpr,
    TURNED_SPARSE: tl.constexpr, PAIRS: tl.constexpr, TRIPLES: tl.constexpr,
):  # fmt: skip
    """Run `steps` steps of Adam, one program per hypothesis.

    Writes numbers, first, second (H, P), values (H,) and points (H, 3, LP) in place.
    holds: size of scratch per hypothesis.
    """
    h = tl.program_id(0).to(tl.int64)
    numbers, first, second = numbers + h * P, first + h * P, second + h * P
    scratch, sums, points = scratch + h * holds, sums + h * 3 * (NP + LP), points + h * 3 * LP
    surface = tl.load(surfaces + h)
    ids, wide = tl.arange(0, LP), tl.arange(0, NP)
    used, filled = ids < L, wide < N
    # Offsets in `known` and in `scratch`; see tables.py.
    LP2: tl.constexpr = LP * LP
    BARY: tl.constexpr = 4 * LP + 2 * LP2
    FACING: tl.constexpr = BARY + LP * NP
    FACING_SPARSE: tl.constexpr = FACING + 3 * NP
    MODES: tl.constexpr = FACING_SPARSE + 3 * LP
    RATES: tl.constexpr = MODES + 3 * MP * LP
    BETAS: tl.constexpr = RATES + PP
    PLACED_SPARSE: tl.constexpr = 3 * NP
    GRADIENT: tl.constexpr = PLACED_SPARSE + 3 * LP
    EDGES: tl.constexpr = GRADIENT + PP
    for t in range(steps):
        now = plan + t * COLUMNS
        focal = tl.exp(tl.load(numbers + P - 1))
        px, py, pz = keypoints_of(numbers, known, ids, L, M, LP, MP, MODES, FREE)
        hidden, hidden_sparse = tl.zeros([NP], tl.float32), tl.zeros([LP], tl.float32)
        blend = known + BARY + ids[:, None] * NP + wide[None, :]
        x = tl.sum(tl.load(blend) * px[:, None], 0)
        y = tl.sum(tl.load(blend) * py[:, None], 0)
        z = tl.sum(tl.load(blend) * pz[:, None], 0)
        if TURNED or TURNED_SPARSE:
            qx, qy, qz, qw = fit_rotation(known, ids, px, py, pz, LP)
            if TURNED:
                hidden = log_visibility(x, y, z, known + FACING, wide, qx, qy, qz, qw, NP)
            if TURNED_SPARSE:
                hidden_sparse = log_visibility(px, py, pz, known + FACING_SPARSE, ids, qx, qy, qz, qw, LP)
        u, v, r = project(x, y, z, focal, surface)
        total, slope_focal = 0.0, 0.0
        su, sv, sr = tl.zeros([NP], tl.float32), tl.zeros([NP], tl.float32), tl.zeros([NP], tl.float32)
        weight = tl.load(now)
        if weight != 0.0:
            value, su, sv, sr, by_focal = explain(
                u, v, r, hidden, wide, filled, samples, dense_like, N, rows + 2 * t * batch, pool,
                focal, tl.load(now + 5), weight, scratch, sums, batch, TILE, NP,
            )  # fmt: skip
            total += weight * value
            slope_focal += by_focal
        weight = tl.load(now + 3)
        if weight != 0.0:
            value, bu, bv = spill(
                u, v, filled, blurred + tl.load(now + 13).to(tl.int64) * map_rows * map_columns,
                map_rows, map_columns, tl.load(now + 9), tl.load(now + 10), tl.load(now + 11),
                tl.load(now + 12), 1.0 / N,
            )  # fmt: skip
            total += weight * value
            su += weight * bu
            sv += weight * bv
        bx, by, bz, by_focal = project_back(x, y, z, u, v, r, focal, surface, su, sv, sr)
        slope_focal += by_focal
        gx = tl.sum(tl.load(blend) * bx[None, :], 1)
        gy = tl.sum(tl.load(blend) * by[None, :], 1)
        gz = tl.sum(tl.load(blend) * bz[None, :], 1)
        weight = tl.load(now + 1)
        if weight != 0.0:
            ku, kv, kr = project(px, py, pz, focal, surface)
            value, ksu, ksv, ksr, by_focal = explain(
                ku, kv, kr, hidden_sparse, ids, used, samples + 4 * pool, sparse_like, L,
                rows + (2 * t + 1) * batch, pool, focal, tl.load(now + 6), weight,
                scratch + PLACED_SPARSE, sums + 3 * NP, batch, TILE, LP,
            )  # fmt: skip
            total += weight * value
            slope_focal += by_focal
            kx, ky, kz, by_focal = project_back(px, py, pz, ku, kv, kr, focal, surface, ksu, ksv, ksr)
            slope_focal += by_focal
            gx, gy, gz = gx + kx, gy + ky, gz + kz
        weight = tl.load(now + 2)
        if weight != 0.0:
            fit = at_mode
            if PAIRS:
                value, ex, ey, ez = geometry(
                    px, py, pz, ids, known + 4 * LP, links, links + 4 * pairs, known + BETAS, pairs,
                    pair_edges, room, scratch + EDGES, weight / 5, False, LP, PAIR_DEPTH, BLOCK, ROWS,
                )  # fmt: skip
                fit += value
                gx, gy, gz = gx + ex, gy + ey, gz + ez
            if TRIPLES:
                triple_links = links + 4 * pairs + pair_edges
                triple_scratch = scratch + EDGES + 8 * LP2 + 4 * room
                value, ex, ey, ez = geometry(
                    px, py, pz, ids, known + 4 * LP + LP2, triple_links, triple_links + 6 * triples,
                    known + BETAS + 4 * pairs, triples, triple_edges, room, triple_scratch, weight / 5,
                    True, LP, TRIPLE_DEPTH, BLOCK, ROWS,
                )  # fmt: skip
                fit += value
                gx, gy, gz = gx + ex, gy + ey, gz + ez
            total += weight * fit / 5
        weight = tl.load(now + 4)
        if weight != 0.0:
            share = tl.load(known + 3 * LP + ids)
            unit = tl.where(tl.load(now + 15) != 0.0, surface + BEHIND, 1.0)
            error = (surface + BEHIND - tl.sum(share * tl.where(used, pz, 0.0))) / unit
            total += weight * error * error
            gz -= 2.0 * weight * error * share / unit
        tl.store(values + h, total)
        gradient = scratch + GRADIENT
        keypoints_back(numbers, known, ids, gx, gy, gz, gradient, L, M, LP, MP, MODES, FREE)
        tl.store(gradient + P - 1, slope_focal * focal)
        tl.debug_barrier()
        adam(
            numbers, first, second, gradient, known + RATES, tl.load(now + 7), tl.load(now + 8),
            tl.load(now + 14), P, PP,
        )  # fmt: skip
        tl.debug_barrier()
    px, py, pz = keypoints_of(numbers, known, ids, L, M, LP, MP, MODES, FREE)
    tl.store(points + ids, px)
    tl.store(points + LP + ids, py)
    tl.store(points + 2 * LP + ids, pz)


@triton.jit
def adam(numbers, first, second, gradient, rates, unbias1, unbias2, decay, P, PP: tl.constexpr):
    """Update one hypothesis by one step of AdamW."""
    i = tl.arange(0, PP)
    m = i < P
    g = tl.load(gradient + i, mask=m, other=0.0)
    moment, square = tl.load(first + i, mask=m, other=0.0), tl.load(second + i, mask=m, other=0.0)
    moment += (g - moment) * NEW1
    square += (g * g - square) * NEW2
    rate, number = tl.load(rates + i), tl.load(numbers + i, mask=m, other=0.0)
    number -= rate * decay * number
    move = rate / unbias1 * moment / (tl.sqrt(square) / unbias2 + SMALL)
    tl.store(first + i, moment, mask=m)
    tl.store(second + i, square, mask=m)
    tl.store(numbers + i, number - move, mask=m)
