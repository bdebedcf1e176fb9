"""Value and gradient of terms/geometry.py: angles, ratios and handedness under the class's Betas."""

from __future__ import annotations

import math

import numpy as np

from semcorr_ros.alignment.compiled.kernel import kernel
from semcorr_ros.alignment.compiled.tables import EPSILON, Array, Betas
from semcorr_ros.representation.geometry_measures import DEGENERATE_EDGE, DEGENERATE_SINE

F = np.float32
LOW, HIGH = F(EPSILON), F(1 - EPSILON)
SINE = F(DEGENERATE_SINE)
HALF, ONE, TWO = F(0.5), F(1), F(2)
PER_TURN = F(1 / math.pi)
TINY = np.finfo(np.float32).tiny


@kernel
def edges_of(points: Array, weight: Array, directions: Array, lengths: Array) -> None:
    """Unit directions (3, L * L) and lengths (L * L,) of every edge i -> j of points (3, L)."""
    count = points.shape[1]
    mean = F(0)
    for i in range(count):
        for j in range(count):
            e = i * count + j
            x, y, z = points[0, j] - points[0, i], points[1, j] - points[1, i], points[2, j] - points[2, i]
            directions[0, e], directions[1, e], directions[2, e] = x, y, z
            lengths[e] = x * x + y * y + z * z
    for e in range(lengths.size):
        mean += weight[e] * lengths[e]
    floor = F(DEGENERATE_EDGE) * mean + TINY
    for e in range(lengths.size):
        lengths[e] = math.sqrt(lengths[e] + floor)
        inverse = ONE / lengths[e]
        directions[0, e] *= inverse
        directions[1, e] *= inverse
        directions[2, e] *= inverse


@kernel
def beta_slope(x: np.float32, a: np.float32, b: np.float32) -> np.float32:
    """Derivative of -(a log x + b log(1 - x)), 0 where terms/geometry.py clamps."""
    if x < LOW or x > HIGH:
        return F(0)
    return (b * x - a * (ONE - x)) / (x * (ONE - x))


@kernel
def beta_value(x: np.float32, a: np.float32, b: np.float32) -> np.float32:
    """-(a log x + b log(1 - x)), x clamped."""
    x = min(max(x, LOW), HIGH)
    return -a * math.log(x) - b * math.log(ONE - x)


@kernel
def angle_of(sine: F, cosine: F) -> F:
    """atan2 for a positive sine, to 2e-7 (Abramowitz and Stegun 4.4.49): without the branches of libm."""
    steep = abs(cosine) > sine
    x = sine / cosine if steep else cosine / sine
    z = x * x
    series = F(-0.0161657367) + z * F(0.0028662257)
    series = F(0.0429096138) + z * series
    series = F(-0.0752896400) + z * series
    series = F(0.1065626393) + z * series
    series = F(-0.1420889944) + z * series
    series = F(0.1999355085) + z * series
    series = F(-0.3333314528) + z * series
    angle = x + x * z * series
    if steep:
        return angle if cosine > F(0) else angle + F(math.pi)
    return F(math.pi / 2) - angle


@kernel
def edge_pairs(
    betas: Betas, directions: Array, lengths: Array, slope: Array, slope_length: Array, with_value: bool
) -> np.float32:
    """Adds d/d direction (3, L * L) and d/d length (L * L,) of the angle and ratio penalties.

    Returns their value, or 0 where it is not wanted: logarithms cost more than all the rest.
    """
    value = F(0)
    for c in range(betas.edges.shape[1]):
        p, q = betas.edges[0, c], betas.edges[1, c]
        px, py, pz = directions[0, p], directions[1, p], directions[2, p]
        qx, qy, qz = directions[0, q], directions[1, q], directions[2, q]
        cosine = px * qx + py * qy + pz * qz
        sine = math.sqrt(max((ONE - cosine) * (ONE + cosine), F(0)) + SINE)
        angle = angle_of(sine, cosine) * PER_TURN
        g = -beta_slope(angle, betas.alpha[0, c], betas.beta[0, c]) * PER_TURN / sine
        total = lengths[p] + lengths[q]
        inverse = ONE / total
        ratio = lengths[p] * inverse
        h = beta_slope(ratio, betas.alpha[1, c], betas.beta[1, c]) * inverse
        slope[0, p] += g * qx
        slope[1, p] += g * qy
        slope[2, p] += g * qz
        slope[0, q] += g * px
        slope[1, q] += g * py
        slope[2, q] += g * pz
        slope_length[p] += h * (ONE - ratio)
        slope_length[q] -= h * ratio
        if with_value:
            value += beta_value(angle, betas.alpha[0, c], betas.beta[0, c])
            value += beta_value(ratio, betas.alpha[1, c], betas.beta[1, c])
    if with_value:
        value += betas.at_mode[0] + betas.at_mode[1]
    return value


@kernel
def frames(betas: Betas, directions: Array, slope: Array, with_value: bool) -> np.float32:
    """Adds d/d direction (3, L * L) of the direction-cosine penalties; returns their value or 0."""
    value = F(0)
    for c in range(betas.edges.shape[1]):
        p, q, r = betas.edges[0, c], betas.edges[1, c], betas.edges[2, c]
        xx, xy, xz = directions[0, p], directions[1, p], directions[2, p]
        sx, sy, sz = directions[0, q], directions[1, q], directions[2, q]
        rx, ry, rz = directions[0, r], directions[1, r], directions[2, r]
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
        gx = HALF * beta_slope(x, betas.alpha[0, c], betas.beta[0, c])
        gy = HALF * beta_slope(y, betas.alpha[1, c], betas.beta[1, c]) * inverse
        gz = HALF * beta_slope(z, betas.alpha[2, c], betas.beta[2, c]) * inverse
        g_along = gx - gy * across
        # d inverse / d across = across * inverse^3
        lean = across * inverse * (gy * cos_y + gz * cos_z) if flat > F(0) else F(0)
        g_across = -gy * along + lean
        # raised = (x cross s) . r = (s cross r) . x = (r cross x) . s
        slope[0, p] += g_along * rx + g_across * sx + gz * (sy * rz - sz * ry)
        slope[1, p] += g_along * ry + g_across * sy + gz * (sz * rx - sx * rz)
        slope[2, p] += g_along * rz + g_across * sz + gz * (sx * ry - sy * rx)
        slope[0, q] += gy * rx + g_across * xx + gz * (ry * xz - rz * xy)
        slope[1, q] += gy * ry + g_across * xy + gz * (rz * xx - rx * xz)
        slope[2, q] += gy * rz + g_across * xz + gz * (rx * xy - ry * xx)
        slope[0, r] += g_along * xx + gy * sx + gz * nx
        slope[1, r] += g_along * xy + gy * sy + gz * ny
        slope[2, r] += g_along * xz + gy * sz + gz * nz
        if with_value:
            value += beta_value(x, betas.alpha[0, c], betas.beta[0, c])
            value += beta_value(y, betas.alpha[1, c], betas.beta[1, c])
            value += beta_value(z, betas.alpha[2, c], betas.beta[2, c])
    if with_value:
        value += betas.at_mode[0] + betas.at_mode[1] + betas.at_mode[2]
    return value


@kernel
def to_points(
    directions: Array, lengths: Array, slopes: tuple[Array, Array], scale: np.float32, gradient: Array
) -> None:
    """Adds `scale` times the gradient over points (3, L), given that over directions and lengths."""
    slope, slope_length = slopes
    count = gradient.shape[1]
    for i in range(count):
        for j in range(count):
            e = i * count + j
            dx, dy, dz = directions[0, e], directions[1, e], directions[2, e]
            inverse = ONE / lengths[e]
            radial = slope[0, e] * dx + slope[1, e] * dy + slope[2, e] * dz
            rest = slope_length[e] - radial * inverse
            x = scale * (slope[0, e] * inverse + rest * dx)
            y = scale * (slope[1, e] * inverse + rest * dy)
            z = scale * (slope[2, e] * inverse + rest * dz)
            gradient[0, j] += x
            gradient[1, j] += y
            gradient[2, j] += z
            gradient[0, i] -= x
            gradient[1, i] -= y
            gradient[2, i] -= z


@kernel
def geometry(
    tables: tuple[Betas, Betas], points: Array, weight: np.float32, gradient: Array, with_value: bool
) -> np.float32:
    """Adds `weight` times the gradient of the term over points (3, L); returns its unweighted value."""
    pairs, triples = tables
    edges = points.shape[1] ** 2
    directions, lengths = np.empty((3, edges), np.float32), np.empty(edges, np.float32)
    slope, slope_length = np.empty((3, edges), np.float32), np.empty(edges, np.float32)
    value = F(0)
    if pairs.edges.shape[1] > 0:
        edges_of(points, pairs.weight, directions, lengths)
        slope[:], slope_length[:] = F(0), F(0)
        value += edge_pairs(pairs, directions, lengths, slope, slope_length, with_value)
        to_points(directions, lengths, (slope, slope_length), weight / F(5), gradient)
    if triples.edges.shape[1] > 0:
        edges_of(points, triples.weight, directions, lengths)
        slope[:], slope_length[:] = F(0), F(0)
        value += frames(triples, directions, slope, with_value)
        to_points(directions, lengths, (slope, slope_length), weight / F(5), gradient)
    return value / F(5)
