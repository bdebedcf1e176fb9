"""A class, an image, steps and hypotheses as flat arrays: what the kernels read and write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semcorr_ros.methods.semalign3d.alignment.state import Evidence, ImageSamples
from semcorr_ros.methods.semalign3d.artifacts import BetaFamily, ClassRepresentation

Array = NDArray[np.float32]
Index = NDArray[np.int32]

NEVER = -1e9  # stands for log 0, so that no infinity enters the arithmetic
EPSILON = 1e-4  # as in terms/geometry.py
BLOCK = 64  # combinations of edges that are worked on side by side


@dataclass(frozen=True)
class Betas:
    """One family of measures; edges i -> j are numbered i * L + j.

    Combinations without weight fill the last block. Neighbors among them share no edge where that can
    be had: adding twice in a row to one place takes twice as long.
    """

    edges: Index  # (block, edge of the measure, combination)
    alpha: Array  # (block, measure, combination), minus 1, over the number of combinations
    beta: Array
    at_mode: float  # mean log density at the mode, summed over measures
    weight: Array  # (L * L,) how often an edge is used, sums to 1


@dataclass(frozen=True)
class Class:
    """What does not change from image to image. L keypoints, N dense points, M modes."""

    sparse: Array  # (L, 3)
    annotated: Index  # rows of the keypoints that were ever annotated
    modes: Array  # (M, 3 L)
    barycentric: Array  # (L, N)
    facing: Array | None  # (3, N); None when points may explain pixels from behind
    facing_sparse: Array | None  # (3, L)
    edge_pairs: Betas
    frames: Betas


@dataclass(frozen=True)
class Samples:
    """The pool of image points that each step draws from."""

    x: Array
    y: Array
    relief: Array
    relief_weight: Array
    log_semantic: Array  # (sample, point)


@dataclass(frozen=True)
class Image:
    """What one image says."""

    dense: Samples
    sparse: Samples


@dataclass(frozen=True)
class Plan:
    """What the steps of one call use. T steps; the terms are those of alignment/plan.py."""

    done: int  # steps before these
    rates: Array  # learning rate of every number
    weights: Array  # (T, 5)
    sigmas: Array  # (T, 2) dense, sparse
    rows_dense: Index  # (T, batch) rows of the pool
    rows_sparse: Index
    blurred: Array  # (map, row, column) background lookup; no map while it has no weight
    map_of: Index  # (T,) the map of a step
    low: Array  # (2,) position x, y of its node (0, 0)
    per_unit: Array  # (2,) nodes per normalized unit
    decay: float  # AdamW's, per unit of learning rate
    relative_depth: bool  # see terms/depth.py


class Search(NamedTuple):
    """Hypotheses (one row each) with their moments; written in place."""

    numbers: Array  # (H, P), see alignment/numbers.py
    first: Array
    second: Array
    surface: Array  # (H,) working depth of the visible surface
    points: Array  # (H, 3, L) keypoints at the numbers
    value: Array  # (H,) objective before the last step


def class_tables(model: ClassRepresentation, visibility: bool) -> Class:
    """Copy a class out of its tensors."""
    facing, facing_sparse = model.dense.prototypes.facing, model.sparse_prototypes.facing
    count = len(model.sparse)
    return Class(
        sparse=floats(model.sparse),
        annotated=indices(torch.nonzero(model.annotated)[:, 0]),
        modes=floats(model.shape_modes.flatten(1)),
        barycentric=floats(model.dense.barycentric.T),
        facing=floats(facing.T) if visibility and facing is not None else None,
        facing_sparse=floats(facing_sparse.T) if visibility and facing_sparse is not None else None,
        edge_pairs=_betas(model.statistics.edge_pairs, [(0, 1), (2, 3)], count),
        frames=_betas(model.statistics.frames, [(0, 1), (0, 2), (0, 3)], count),
    )


def image_tables(evidence: Evidence) -> Image:
    """Copy an image's evidence out of its tensors."""
    return Image(sample_tables(evidence.dense), sample_tables(evidence.sparse))


def sample_tables(samples: ImageSamples) -> Samples:
    """Copy image points out of their tensors."""
    return Samples(
        x=floats(samples.points[:, 0]),
        y=floats(samples.points[:, 1]),
        relief=floats(samples.relief),
        relief_weight=floats(samples.relief_weight),
        log_semantic=floats(samples.log_semantic.clamp_min(NEVER)),
    )


def _betas(family: BetaFamily, ends: list[tuple[int, int]], keypoints: int) -> Betas:
    count = len(family.indices)
    edges = torch.stack([family.indices[:, i] * keypoints + family.indices[:, j] for i, j in ends])
    a, b = family.alpha - 1, family.beta - 1
    mode = (a / (a + b)).clamp(EPSILON, 1 - EPSILON)
    at_mode = (a * mode.log() + b * torch.log1p(-mode)).sum() / max(1, count)
    used = torch.bincount(edges.flatten(), minlength=keypoints**2) / max(1, edges.numel())
    return Betas(
        indices(_dealt(edges)),
        floats(_dealt(a.T) / max(1, count)),
        floats(_dealt(b.T) / max(1, count)),
        float(at_mode),
        floats(used),
    )


def _dealt(columns: Tensor) -> Tensor:
    """Arrange (row, column) as (block, row, BLOCK), filled up with zeros.

    Neighbors get into different blocks.
    """
    blocks = -(-columns.shape[1] // BLOCK)
    padded = torch.nn.functional.pad(columns, (0, blocks * BLOCK - columns.shape[1]))
    return padded.reshape(len(columns), BLOCK, blocks).permute(2, 0, 1)


def floats(values: Tensor) -> Array:
    """Copy out of a tensor, row after row."""
    return np.ascontiguousarray(values.detach().cpu().numpy(), dtype=np.float32)


def indices(values: Tensor) -> Index:
    """Copy out of a tensor, row after row."""
    return np.ascontiguousarray(values.cpu().numpy(), dtype=np.int32)
