"""Some steps of Adam on the objective, for the hypotheses of one thread."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from semcorr_ros.alignment.compiled.background import spill
from semcorr_ros.alignment.compiled.geometry import geometry
from semcorr_ros.alignment.compiled.kernel import kernel
from semcorr_ros.alignment.compiled.pose import keypoints_back, keypoints_of
from semcorr_ros.alignment.compiled.projection import fit_rotation, log_visibility, project, project_back
from semcorr_ros.alignment.compiled.reconstruction import explain
from semcorr_ros.alignment.compiled.tables import Array, Class, Image, Index
from semcorr_ros.alignment.terms.depth import SURFACE_TO_CENTER

F = np.float32
DENSE, SPARSE, GEOMETRY, BACKGROUND, DEPTH = range(5)  # columns of Plan.weights
BETA1, BETA2, SMALL = F(0.9), F(0.999), F(1e-8)  # Adam's


class Plan(NamedTuple):
    """What the steps of one call use. T steps."""

    done: int  # steps before these
    rates: Array  # learning rate of every number
    weights: Array  # (T, 5)
    sigmas: Array  # (T, 2) dense, sparse
    rows_dense: Index  # (T, batch) rows of the pool
    rows_sparse: Index
    blurred: Array  # (map, row, column) background lookup; no map while it has no weight
    map_of: NDArray[np.int64]  # (T,) the map of a step
    low: Array  # (2,) position x, y of its node (0, 0)
    per_unit: Array  # (2,) nodes per normalized unit


class Search(NamedTuple):
    """Hypotheses (one row each) with their moments; written in place."""

    numbers: Array  # (H, P), see pose.py
    first: Array
    second: Array
    surface: Array  # (H,) working depth of the visible surface
    points: Array  # (H, 3, L) keypoints at the numbers
    value: Array  # (H,) objective before the last step


@kernel
def descend(search: Search, known: Class, image: Image, plan: Plan, free: bool) -> None:
    """Go len(plan.weights) steps; `free`: the numbers are keypoint positions."""
    steps = len(plan.weights)
    slope = np.zeros_like(search.points)
    slope_focal = np.zeros_like(search.value)
    for t in range(steps):
        slope[:] = F(0)
        slope_focal[:] = F(0)
        search.value[:] = F(0)
        place(search, known, free)
        evaluate(search, known, image, (plan, t, t == steps - 1), slope, slope_focal)
        for h in range(len(search.numbers)):
            adam(search, known, (plan, t, h, free), slope[h], slope_focal[h])
    place(search, known, free)


@kernel
def place(search: Search, known: Class, free: bool) -> None:
    """Keypoints of all hypotheses from their numbers."""
    for h in range(len(search.numbers)):
        if free:
            search.points[h] = search.numbers[h, :-1].copy().reshape(known.sparse.shape).T
        else:
            keypoints_of(search.numbers[h], known.sparse, known.modes, search.points[h])


@kernel
def blend(barycentric: Array, points: Array, dense: Array) -> None:
    """dense (3, N) = points (3, L) @ barycentric (L, N)."""
    dense[:] = F(0)
    for k in range(3):
        for i in range(len(barycentric)):
            value, weights, row = points[k, i], barycentric[i], dense[k]
            for n in range(row.size):
                row[n] += value * weights[n]


@kernel
def blend_back(barycentric: Array, slope: Array, gradient: Array) -> None:
    """Adds to gradient (3, L) that of `blend`, given the slope (3, N)."""
    for k in range(3):
        for i in range(len(barycentric)):
            total, weights, row = F(0), barycentric[i], slope[k]
            for n in range(row.size):
                total += row[n] * weights[n]
            gradient[k, i] += total


@kernel
def evaluate(
    search: Search,
    known: Class,
    image: Image,
    when: tuple[Plan, int, bool],
    slope: Array,
    slope_focal: Array,
) -> None:
    """Adds gradients over keypoints (H, 3, L) and focals (H,); objective into search.value if asked for."""
    plan, t, with_value = when
    weights = plan.weights[t]
    count, (keypoints, points) = len(search.numbers), known.barycentric.shape
    dense = np.empty((count, 3, points), np.float32)
    placed, placed_sparse = np.empty_like(dense), np.empty_like(search.points)
    slope_dense, slope_sparse = np.zeros_like(dense), np.zeros_like(search.points)
    visible = np.empty((count, points), np.float32)
    visible_sparse = np.empty((count, keypoints), np.float32)
    focals = np.exp(search.numbers[:, -1])
    terms = np.zeros((5, count), np.float32)
    turned = known.facing.shape[1] + known.facing_sparse.shape[1] > 0
    rotation = np.empty((3, 3), np.float32)
    for h in range(count):
        at = search.points[h]
        if turned:
            rotation = fit_rotation(known.sparse, at, known.seen)
        blend(known.barycentric, at, dense[h])
        project(dense[h], focals[h], search.surface[h], placed[h])
        log_visibility(dense[h], known.facing, rotation, visible[h])
        project(at, focals[h], search.surface[h], placed_sparse[h])
        log_visibility(at, known.facing_sparse, rotation, visible_sparse[h])
        if weights[BACKGROUND] != 0:
            terms[BACKGROUND, h] = spill(
                plan.blurred[plan.map_of[t]],
                plan.low,
                plan.per_unit,
                placed[h],
                weights[BACKGROUND],
                slope_dense[h],
            )
    if weights[DENSE] != 0:
        explain(
            image.dense, plan.rows_dense[t], placed, visible, focals,
            plan.sigmas[t, 0], weights[DENSE], slope_dense, slope_focal, terms[DENSE],
        )  # fmt: skip
    if weights[SPARSE] != 0:
        explain(
            image.sparse, plan.rows_sparse[t], placed_sparse, visible_sparse, focals,
            plan.sigmas[t, 1], weights[SPARSE], slope_sparse, slope_focal, terms[SPARSE],
        )  # fmt: skip
    back = np.empty((3, points), np.float32)
    for h in range(count):
        back[:] = F(0)
        slope_focal[h] += project_back(
            dense[h], placed[h], focals[h], search.surface[h], slope_dense[h], back
        )
        blend_back(known.barycentric, back, slope[h])
        slope_focal[h] += project_back(
            search.points[h], placed_sparse[h], focals[h], search.surface[h], slope_sparse[h], slope[h]
        )
        if weights[GEOMETRY] != 0:
            tables = (known.edge_pairs, known.frames)
            terms[GEOMETRY, h] = geometry(tables, search.points[h], weights[GEOMETRY], slope[h], with_value)
        if weights[DEPTH] != 0:
            terms[DEPTH, h] = depth(search.points[h], known.seen, search.surface[h], weights[DEPTH], slope[h])
        for term in range(5):
            search.value[h] += weights[term] * terms[term, h]


@kernel
def depth(points: Array, seen: Index, surface: np.float32, weight: np.float32, gradient: Array) -> np.float32:
    """Value and gradient of terms/depth.py."""
    error = surface + F(SURFACE_TO_CENTER)
    for i in seen:
        error -= points[2, i] / F(len(seen))
    for i in seen:
        gradient[2, i] -= F(2) * weight * error / F(len(seen))
    return error * error


@kernel
def adam(
    search: Search, known: Class, when: tuple[Plan, int, int, bool], slope: Array, slope_focal: np.float32
) -> None:
    """One step of one hypothesis, given the gradient over its keypoints and focal length."""
    plan, t, h, free = when
    numbers = search.numbers[h]
    gradient = np.empty_like(numbers)
    if free:
        gradient[:-1] = slope.T.copy().reshape(-1)
    else:
        keypoints_back(numbers, known.sparse, known.modes, slope, gradient)
    gradient[-1] = slope_focal * math.exp(numbers[-1])
    step = plan.done + t + 1
    unbias1, unbias2 = F(1 - 0.9**step), F(math.sqrt(1 - 0.999**step))
    first, second = search.first[h], search.second[h]
    for i in range(numbers.size):
        g = gradient[i]
        first[i] += (F(1) - BETA1) * (g - first[i])
        second[i] = BETA2 * second[i] + (F(1) - BETA2) * g * g
        numbers[i] -= plan.rates[i] / unbias1 * first[i] / (math.sqrt(second[i]) / unbias2 + SMALL)
