"""Value and slopes of terms/geometry.py: angles, ratios and handedness under the class's Betas.

Combinations are worked on side by side. Each leaves its slopes in boxes of its own, sorted by edge,
that are summed afterwards: no two threads add to one place, and sums come out the same every time.
"""

from __future__ import annotations

import math

import triton
import triton.language as tl

from semcorr_ros.methods.semalign3d.alignment.terms.geometry import EPSILON
from semcorr_ros.methods.semalign3d.building.geometry_measures import DEGENERATE_EDGE, DEGENERATE_SINE

LOW, HIGH = tl.constexpr(EPSILON), tl.constexpr(1 - EPSILON)
SINE, EDGE, TINY = tl.constexpr(DEGENERATE_SINE), tl.constexpr(DEGENERATE_EDGE), tl.constexpr(1e-38)
PI, PER_TURN = tl.constexpr(math.pi), tl.constexpr(1 / math.pi)


@triton.jit
def beta_slope(x, a, b):
    """Differentiate -(a log x + b log(1 - x)), 0 where terms/geometry.py clamps."""
    return tl.where((x >= LOW) & (x <= HIGH), (b * x - a * (1.0 - x)) / (x * (1.0 - x)), 0.0)


@triton.jit
def beta_value(x, a, b):
    """Compute -(a log x + b log(1 - x)), x clamped."""
    x = tl.minimum(tl.maximum(x, LOW), HIGH)
    return -a * tl.log(x) - b * tl.log(1.0 - x)


@triton.jit
def angle_of(sine, cosine):
    """Compute atan2 for a positive sine, to 2e-7 (Abramowitz and Stegun 4.4.49)."""
    steep = tl.abs(cosine) > sine
    x = tl.where(steep, sine, cosine) / tl.where(steep, cosine, sine)
    z = x * x
    series = -0.0161657367 + z * 0.0028662257
    series = 0.0429096138 + z * series
    series = -0.0752896400 + z * series
    series = 0.1065626393 + z * series
    series = -0.1420889944 + z * series
    series = 0.1999355085 + z * series
    series = -0.3333314528 + z * series
    angle = x + x * z * series
    return tl.where(steep, angle + tl.where(cosine > 0, 0.0, PI), PI / 2 - angle)


@triton.jit
def edges_of(px, py, pz, weights, edges, ids, LP: tl.constexpr):
    """Store unit direction and length of every edge i -> j in edges (4, LP * LP)."""
    across = ids[:, None] * LP + ids[None, :]
    dx, dy, dz = px[None, :] - px[:, None], py[None, :] - py[:, None], pz[None, :] - pz[:, None]
    squared = dx * dx + dy * dy + dz * dz
    mean = tl.sum(tl.sum(tl.load(weights + across) * squared, 1), 0)
    inverse = 1.0 / tl.sqrt(squared + mean * EDGE + TINY)
    tl.store(edges + across, dx * inverse)
    tl.store(edges + LP * LP + across, dy * inverse)
    tl.store(edges + 2 * LP * LP + across, dz * inverse)
    tl.store(edges + 3 * LP * LP + across, 1.0 / inverse)


@triton.jit
def edge_pairs(edges, links, betas, count, boxes, room, LP2: tl.constexpr, BLOCK: tl.constexpr):
    """Sum the penalties of angles and ratios.

    links (4, count): edges p, q and their boxes; boxes (4, room) receive the gradients."""
    value = 0.0
    for first in range(0, count, BLOCK):
        c = first + tl.arange(0, BLOCK)
        m = c < count
        p = edges + tl.load(links + c, mask=m, other=0)
        q = edges + tl.load(links + count + c, mask=m, other=0)
        box_p = boxes + tl.load(links + 2 * count + c, mask=m, other=0)
        box_q = boxes + tl.load(links + 3 * count + c, mask=m, other=0)
        a0, a1 = tl.load(betas + c, mask=m, other=0.0), tl.load(betas + count + c, mask=m, other=0.0)
        b0 = tl.load(betas + 2 * count + c, mask=m, other=0.0)
        b1 = tl.load(betas + 3 * count + c, mask=m, other=0.0)
        px, py, pz, pl = tl.load(p), tl.load(p + LP2), tl.load(p + 2 * LP2), tl.load(p + 3 * LP2)
        qx, qy, qz, ql = tl.load(q), tl.load(q + LP2), tl.load(q + 2 * LP2), tl.load(q + 3 * LP2)
        cosine = px * qx + py * qy + pz * qz
        sine = tl.sqrt(tl.maximum((1.0 - cosine) * (1.0 + cosine), 0.0) + SINE)
        angle = angle_of(sine, cosine) * PER_TURN
        inverse = 1.0 / (pl + ql)
        ratio = pl * inverse
        value += tl.sum(beta_value(angle, a0, b0) + beta_value(ratio, a1, b1))
        g = -beta_slope(angle, a0, b0) * PER_TURN / sine
        h = beta_slope(ratio, a1, b1) * inverse
        tl.store(box_p, g * qx, mask=m)
        tl.store(box_p + room, g * qy, mask=m)
        tl.store(box_p + 2 * room, g * qz, mask=m)
        tl.store(box_p + 3 * room, h * (1.0 - ratio), mask=m)
        tl.store(box_q, g * px, mask=m)
        tl.store(box_q + room, g * py, mask=m)
        tl.store(box_q + 2 * room, g * pz, mask=m)
        tl.store(box_q + 3 * room, -h * ratio, mask=m)
    return value


@triton.jit
def frames(edges, links, betas, count, boxes, room, LP2: tl.constexpr, BLOCK: tl.constexpr):
    """Sum the penalties of the direction cosines of an edge r in the frame of edges x and s."""
    value = 0.0
    for first in range(0, count, BLOCK):
        c = first + tl.arange(0, BLOCK)
        m = c < count
        p = edges + tl.load(links + c, mask=m, other=0)
        q = edges + tl.load(links + count + c, mask=m, other=0)
        o = edges + tl.load(links + 2 * count + c, mask=m, other=0)
        box_p = boxes + tl.load(links + 3 * count + c, mask=m, other=0)
        box_q = boxes + tl.load(links + 4 * count + c, mask=m, other=0)
        box_o = boxes + tl.load(links + 5 * count + c, mask=m, other=0)
        a0, a1 = tl.load(betas + c, mask=m, other=0.0), tl.load(betas + count + c, mask=m, other=0.0)
        a2 = tl.load(betas + 2 * count + c, mask=m, other=0.0)
        b0 = tl.load(betas + 3 * count + c, mask=m, other=0.0)
        b1 = tl.load(betas + 4 * count + c, mask=m, other=0.0)
        b2 = tl.load(betas + 5 * count + c, mask=m, other=0.0)
        xx, xy, xz = tl.load(p), tl.load(p + LP2), tl.load(p + 2 * LP2)
        sx, sy, sz = tl.load(q), tl.load(q + LP2), tl.load(q + 2 * LP2)
        rx, ry, rz = tl.load(o), tl.load(o + LP2), tl.load(o + 2 * LP2)
        along = xx * rx + xy * ry + xz * rz
        across = xx * sx + xy * sy + xz * sz
        ray_side = rx * sx + ry * sy + rz * sz
        nx, ny, nz = xy * sz - xz * sy, xz * sx - xx * sz, xx * sy - xy * sx
        raised = nx * rx + ny * ry + nz * rz
        flat = (1.0 - across) * (1.0 + across)
        inverse = 1.0 / tl.sqrt(tl.maximum(flat, 0.0) + SINE)
        cos_y, cos_z = (ray_side - across * along) * inverse, raised * inverse
        x, y, z = 0.5 * along + 0.5, 0.5 * cos_y + 0.5, 0.5 * cos_z + 0.5
        value += tl.sum(beta_value(x, a0, b0) + beta_value(y, a1, b1) + beta_value(z, a2, b2))
        gx = 0.5 * beta_slope(x, a0, b0)
        gy = 0.5 * beta_slope(y, a1, b1) * inverse
        gz = 0.5 * beta_slope(z, a2, b2) * inverse
        g_along = gx - gy * across
        # d inverse / d across = across * inverse^3
        lean = tl.where(flat > 0, across * inverse * (gy * cos_y + gz * cos_z), 0.0)
        g_across = -gy * along + lean
        # raised = (x cross s) . r = (s cross r) . x = (r cross x) . s
        tl.store(box_p, g_along * rx + g_across * sx + gz * (sy * rz - sz * ry), mask=m)
        tl.store(box_p + room, g_along * ry + g_across * sy + gz * (sz * rx - sx * rz), mask=m)
        tl.store(box_p + 2 * room, g_along * rz + g_across * sz + gz * (sx * ry - sy * rx), mask=m)
        tl.store(box_q, gy * rx + g_across * xx + gz * (ry * xz - rz * xy), mask=m)
        tl.store(box_q + room, gy * ry + g_across * xy + gz * (rz * xx - rx * xz), mask=m)
        tl.store(box_q + 2 * room, gy * rz + g_across * xz + gz * (rx * xy - ry * xx), mask=m)
        tl.store(box_o, g_along * xx + gy * sx + gz * nx, mask=m)
        tl.store(box_o + room, g_along * xy + gy * sy + gz * ny, mask=m)
        tl.store(box_o + 2 * room, g_along * xz + gy * sz + gz * nz, mask=m)
    return value


@triton.jit
def empty_boxes(boxes, room, used, count, slopes, LP2: tl.constexpr, DEPTH: tl.constexpr, ROWS: tl.constexpr):
    """Sum every edge's boxes into slopes (4, LP2); boxes (4, count * DEPTH), used: ids of the edges."""
    for first in range(0, count, ROWS):
        row = first + tl.arange(0, ROWS)
        m = row < count
        edge = tl.load(used + row, mask=m, other=0)
        tile = boxes + row[:, None] * DEPTH + tl.arange(0, DEPTH)[None, :]
        for axis in tl.static_range(4):
            total = tl.sum(tl.load(tile + axis * room, mask=m[:, None], other=0.0), 1)
            tl.store(slopes + axis * LP2 + edge, total, mask=m)


@triton.jit
def to_points(edges, slopes, ids, scale, LP: tl.constexpr):
    """Backpropagate slopes over edges (4, LP * LP) to the keypoints: x, y, z (LP,)."""
    across = ids[:, None] * LP + ids[None, :]
    dx, dy = tl.load(edges + across), tl.load(edges + LP * LP + across)
    dz, length = tl.load(edges + 2 * LP * LP + across), tl.load(edges + 3 * LP * LP + across)
    sx, sy = tl.load(slopes + across), tl.load(slopes + LP * LP + across)
    sz, along = tl.load(slopes + 2 * LP * LP + across), tl.load(slopes + 3 * LP * LP + across)
    inverse = 1.0 / length
    rest = along - (sx * dx + sy * dy + sz * dz) * inverse
    x, y, z = sx * inverse + rest * dx, sy * inverse + rest * dy, sz * inverse + rest * dz
    return (
        scale * (tl.sum(x, 0) - tl.sum(x, 1)),
        scale * (tl.sum(y, 0) - tl.sum(y, 1)),
        scale * (tl.sum(z, 0) - tl.sum(z, 1)),
    )


@triton.jit
def geometry(
    px, py, pz, ids, weights, links, used, betas, count, edge_count, room, scratch, scale,
    FRAMES: tl.constexpr, LP: tl.constexpr, DEPTH: tl.constexpr, BLOCK: tl.constexpr, ROWS: tl.constexpr,
):  # fmt: skip
    """Evaluate one family: its value, and `scale` times its gradient over the keypoints.

    scratch: edges (4, LP * LP), slopes (4, LP * LP), boxes (4, room).
    """
    LP2: tl.constexpr = LP * LP
    slopes, boxes = scratch + 4 * LP2, scratch + 8 * LP2
    edges_of(px, py, pz, weights, scratch, ids, LP)
    tl.debug_barrier()
    if FRAMES:
        value = frames(scratch, links, betas, count, boxes, room, LP2, BLOCK)
    else:
        value = edge_pairs(scratch, links, betas, count, boxes, room, LP2, BLOCK)
    tl.debug_barrier()
    empty_boxes(boxes, room, used, edge_count, slopes, LP2, DEPTH, ROWS)
    tl.debug_barrier()
    gx, gy, gz = to_points(scratch, slopes, ids, scale, LP)
    return value, gx, gy, gz
