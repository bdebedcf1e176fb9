"""Value and gradient of terms/geometry.py: angles, ratios and handedness under the class's Betas."""

from __future__ import annotations

import math

import numpy as np

from semcorr_ros.alignment.compiled import measures
from semcorr_ros.alignment.compiled.kernel import kernel
from semcorr_ros.alignment.compiled.tables import BLOCK, Array, Betas, Index
from semcorr_ros.representation.geometry_measures import DEGENERATE_EDGE

F = np.float32
ONE = F(1)
TINY = np.finfo(np.float32).tiny


@kernel
def geometry(
    tables: tuple[Betas, Betas], points: Array, weight: np.float32, gradient: Array, with_value: bool
) -> np.float32:
    """Adds `weight` times the gradient of the term over points (3, L); returns its unweighted value,
    or 0 where it is not wanted.
    """
    count = points.shape[1] ** 2
    edges, slope = np.empty((count, 4), np.float32), np.empty((count, 4), np.float32)
    work = np.empty(3 * 4 * BLOCK, np.float32)
    value = F(0)
    for family in range(2):
        betas = tables[family]
        if len(betas.edges) == 0:
            continue
        edges_of(points, betas.weight, edges)
        slope[:] = F(0)
        value += penalties(betas, edges, slope, work, with_value)
        to_points(edges, slope, weight / F(5), gradient)
    return value / F(5)


@kernel
def edges_of(points: Array, weight: Array, edges: Array) -> None:
    """Unit direction and length of every edge i -> j of points (3, L), as a row of edges (L * L, 4)."""
    count = points.shape[1]
    mean = F(0)
    for i in range(count):
        for j in range(count):
            e = i * count + j
            x, y, z = points[0, j] - points[0, i], points[1, j] - points[1, i], points[2, j] - points[2, i]
            squared = x * x + y * y + z * z
            edges[e, 0], edges[e, 1], edges[e, 2], edges[e, 3] = x, y, z, squared
            mean += weight[e] * squared
    floor = F(DEGENERATE_EDGE) * mean + TINY
    for e in range(len(edges)):
        length = math.sqrt(edges[e, 3] + floor)
        inverse = ONE / length
        edges[e, 0] *= inverse
        edges[e, 1] *= inverse
        edges[e, 2] *= inverse
        edges[e, 3] = length


@kernel
def penalties(betas: Betas, edges: Array, slope: Array, work: Array, with_value: bool) -> np.float32:
    """Adds the slopes over edges (L * L, 4) of a family's penalties; returns their value or 0."""
    value = F(0)
    kinds = betas.edges.shape[1]
    for block in range(len(betas.edges)):
        alpha, beta = betas.alpha[block], betas.beta[block]
        for n in range(kinds):
            gather(edges, betas.edges[block, n], work[4 * n * BLOCK :])
        if kinds == 2:
            value += measures.edge_pairs(work, alpha, beta, with_value)
        else:
            value += measures.frames(work, alpha, beta, with_value)
        for n in range(kinds):
            scatter(work[4 * n * BLOCK :], betas.edges[block, n], slope, 4 if kinds == 2 else 3)
    return value + betas.at_mode if with_value else value


@kernel
def gather(edges: Array, rows: Index, work: Array) -> None:
    """Copy rows of edges (E, 4) into the columns of a block, see measures.py."""
    for k in range(BLOCK):
        e = rows[k]
        for axis in range(4):
            work[axis * BLOCK + k] = edges[e, axis]


@kernel
def scatter(work: Array, rows: Index, slope: Array, axes: int) -> None:
    """Add the columns of a block to rows of slope (E, 4)."""
    for k in range(BLOCK):
        e = rows[k]
        for axis in range(axes):
            slope[e, axis] += work[axis * BLOCK + k]


@kernel
def to_points(edges: Array, slope: Array, scale: np.float32, gradient: Array) -> None:
    """Adds `scale` times the gradient over points (3, L), given the slopes over edges (L * L, 4)."""
    count = gradient.shape[1]
    for i in range(count):
        for j in range(count):
            e = i * count + j
            dx, dy, dz, inverse = edges[e, 0], edges[e, 1], edges[e, 2], ONE / edges[e, 3]
            radial = slope[e, 0] * dx + slope[e, 1] * dy + slope[e, 2] * dz
            rest = slope[e, 3] - radial * inverse
            x = scale * (slope[e, 0] * inverse + rest * dx)
            y = scale * (slope[e, 1] * inverse + rest * dy)
            z = scale * (slope[e, 2] * inverse + rest * dz)
            gradient[0, j] += x
            gradient[1, j] += y
            gradient[2, j] += z
            gradient[0, i] -= x
            gradient[1, i] -= y
            gradient[2, i] -= z
