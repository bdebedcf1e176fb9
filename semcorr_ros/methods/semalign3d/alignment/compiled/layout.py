"""The structures of kernels/tables.hpp, filled with the addresses of the arrays in tables.py."""

from __future__ import annotations

import ctypes
from ctypes import c_double, c_float, c_int, c_int64, c_void_p
from typing import Any

import numpy as np

from semcorr_ros.methods.semalign3d.alignment.compiled import tables
from semcorr_ros.methods.semalign3d.alignment.state import MIN_DEPTH
from semcorr_ros.methods.semalign3d.alignment.terms.depth import SURFACE_TO_CENTER
from semcorr_ros.methods.semalign3d.alignment.visibility import HORIZON, SOFTNESS
from semcorr_ros.methods.semalign3d.building.geometry_measures import DEGENERATE_EDGE, DEGENERATE_SINE


class Betas(ctypes.Structure):
    _fields_ = (
        *((name, c_void_p) for name in ("edges", "alpha", "beta", "weight")),
        ("blocks", c_int64), ("ends", c_int64), ("at_mode", c_double),
    )  # fmt: skip


class Class(ctypes.Structure):
    _fields_ = (
        *((name, c_void_p) for name in ("sparse", "annotated", "modes", "barycentric")),
        *((name, c_void_p) for name in ("facing", "facing_sparse")),
        *((name, c_int64) for name in ("keypoints", "annotated_count", "mode_count", "points")),
        ("edge_pairs", Betas), ("frames", Betas),
    )  # fmt: skip


class Samples(ctypes.Structure):
    _fields_ = (
        *((name, c_void_p) for name in ("x", "y", "relief", "relief_weight", "log_semantic")),
        ("count", c_int64),
    )


class Image(ctypes.Structure):
    _fields_ = (("dense", Samples), ("sparse", Samples))


class Plan(ctypes.Structure):
    _fields_ = (
        *((name, c_void_p) for name in ("rates", "weights", "sigmas", "rows_dense", "rows_sparse")),
        *((name, c_void_p) for name in ("blurred", "map_of", "low", "per_unit")),
        *((name, c_int64) for name in ("steps", "batch", "map_rows", "map_columns", "done")),
        *((name, c_float) for name in ("decay", "relative_depth")),
    )


class Search(ctypes.Structure):
    _fields_ = (
        *((name, c_void_p) for name in ("numbers", "first", "second", "surface", "points", "value")),
        ("hypotheses", c_int64), ("number_count", c_int64),
    )  # fmt: skip


EXPECTED = (
    *map(ctypes.sizeof, (Betas, Class, Samples, Image, Plan, Search)),
    tables.BLOCK, tables.EPSILON, DEGENERATE_EDGE, DEGENERATE_SINE,
    MIN_DEPTH, HORIZON, SOFTNESS, SURFACE_TO_CENTER,
)  # fmt: skip


def declare(library: Any) -> None:
    """Declare the types of the library's functions.

    Raises OSError if its structures or constants are not ours.
    """
    structures = [ctypes.POINTER(kind) for kind in (Search, Class, Image, Plan)]
    library.semcorr_descend.argtypes = [*structures, c_int]
    library.semcorr_score.argtypes = [
        ctypes.POINTER(Class), ctypes.POINTER(Samples),
        c_void_p, c_void_p, c_void_p, c_int64, c_float, c_void_p,
    ]  # fmt: skip
    library.semcorr_fit_rotation.argtypes = [c_void_p, c_void_p, c_int64, c_void_p, c_int64, c_void_p]
    for name in ("descend", "score", "fit_rotation", "layout"):
        getattr(library, f"semcorr_{name}").restype = None
    found = (c_double * len(EXPECTED))()
    library.semcorr_layout(found)
    if not np.allclose(tuple(found), EXPECTED, rtol=1e-6):
        raise OSError(f"its structures or constants are {tuple(found)}, not {EXPECTED}")


def of_class(known: tables.Class) -> Class:
    """Take the addresses of a class. Holds no reference: the arrays must outlive it, here and below."""
    keypoints, points = known.barycentric.shape
    return Class(
        sparse=floats(known.sparse, keypoints, 3),
        annotated=indices(known.annotated, len(known.annotated)),
        modes=floats(known.modes, len(known.modes), 3 * keypoints),
        barycentric=floats(known.barycentric, keypoints, points),
        facing=None if known.facing is None else floats(known.facing, 3, points),
        facing_sparse=None if known.facing_sparse is None else floats(known.facing_sparse, 3, keypoints),
        keypoints=keypoints,
        annotated_count=len(known.annotated),
        mode_count=len(known.modes),
        points=points,
        edge_pairs=_of_betas(known.edge_pairs, keypoints, 2),
        frames=_of_betas(known.frames, keypoints, 3),
    )


def _of_betas(betas: tables.Betas, keypoints: int, ends: int) -> Betas:
    blocks = len(betas.edges)
    return Betas(
        edges=indices(betas.edges, blocks, ends, tables.BLOCK),
        alpha=floats(betas.alpha, blocks, ends, tables.BLOCK),
        beta=floats(betas.beta, blocks, ends, tables.BLOCK),
        weight=floats(betas.weight, keypoints * keypoints),
        blocks=blocks,
        ends=ends,
        at_mode=betas.at_mode,
    )


def of_samples(samples: tables.Samples, points: int) -> Samples:
    """Take the addresses of image points, for a class of so many points."""
    count = len(samples.x)
    columns = (samples.x, samples.y, samples.relief, samples.relief_weight)
    return Samples(
        *(floats(column, count) for column in columns), floats(samples.log_semantic, count, points), count
    )


def of_image(image: tables.Image, known: tables.Class) -> Image:
    """Take the addresses of an image's evidence about a class."""
    keypoints, points = known.barycentric.shape
    return Image(of_samples(image.dense, points), of_samples(image.sparse, keypoints))


def of_plan(plan: tables.Plan, numbers: int) -> Plan:
    """Take the addresses of a plan, for rows of so many numbers."""
    steps, batch = plan.rows_dense.shape
    maps, rows, columns = plan.blurred.shape
    return Plan(
        rates=floats(plan.rates, numbers),
        weights=floats(plan.weights, steps, 5),
        sigmas=floats(plan.sigmas, steps, 2),
        rows_dense=indices(plan.rows_dense, steps, batch),
        rows_sparse=indices(plan.rows_sparse, steps, batch),
        blurred=floats(plan.blurred, maps, rows, columns),
        map_of=indices(plan.map_of, steps),
        low=floats(plan.low, 2),
        per_unit=floats(plan.per_unit, 2),
        steps=steps,
        batch=batch,
        map_rows=rows,
        map_columns=columns,
        done=plan.done,
        decay=plan.decay,
        relative_depth=float(plan.relative_depth),
    )


def of_search(search: tables.Search, keypoints: int) -> Search:
    """Take the addresses of the hypotheses of a class of so many keypoints."""
    count, numbers = search.numbers.shape
    moments = (floats(array, count, numbers) for array in search[:3])
    surface, value = floats(search.surface, count), floats(search.value, count)
    return Search(*moments, surface, floats(search.points, count, 3, keypoints), value, count, numbers)


def floats(array: tables.Array, *shape: int) -> int:
    """Return the address of a C-contiguous float32 array. Raises TypeError for another type or shape."""
    return _address(array, np.float32, shape)


def indices(array: tables.Index, *shape: int) -> int:
    """Return the address of a C-contiguous int32 array. Raises as `floats`."""
    return _address(array, np.int32, shape)


def _address(array: Any, kind: type, shape: tuple[int, ...]) -> int:
    if array.dtype != kind or array.shape != shape or not array.flags.c_contiguous:
        raise TypeError(f"a kernel wants {kind.__name__}{shape}, not {array.dtype}{array.shape}")
    return int(array.ctypes.data)
