"""A class, an image and the hypotheses as flat float32 arrays: what the kernels read and write."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semcorr_ros.alignment.state import Evidence, ImageSamples
from semcorr_ros.artifacts import BetaFamily, ClassRepresentation

Array = NDArray[np.float32]
Index = NDArray[np.uint64]  # unsigned: the compiler need not provide for negative indices

NEVER = -1e9  # stands for log 0, so that no infinity enters the arithmetic
EPSILON = 1e-4  # as in terms/geometry.py
BLOCK = 64  # combinations of edges that are worked on side by side


class Betas(NamedTuple):
    """One family of measures; edges i -> j are numbered i * L + j.

    Combinations without weight fill the last block. Neighbors among them share no edge where that can
    be had: adding twice in a row to one place takes twice as long.
    """

    edges: Index  # (block, edge of the measure, combination)
    alpha: Array  # (block, measure, combination), minus 1, over the number of combinations
    beta: Array
    at_mode: np.float32  # mean log density at the mode, summed over measures
    weight: Array  # (L * L,) how often an edge is used, sums to 1


class Class(NamedTuple):
    """What does not change from image to image. L keypoints, N dense points, M modes."""

    sparse: Array  # (L, 3)
    seen: Index
    modes: Array  # (M, 3 L)
    barycentric: Array  # (L, N)
    facing: Array  # (3, N); empty when points may explain pixels from behind
    facing_sparse: Array  # (3, L)
    edge_pairs: Betas
    frames: Betas


class Samples(NamedTuple):
    """The pool of image points that each step draws from."""

    x: Array
    y: Array
    relief: Array
    relief_weight: Array
    log_semantic: Array  # (sample, point)


class Image(NamedTuple):
    """What one image says."""

    dense: Samples
    sparse: Samples


def class_tables(model: ClassRepresentation, visibility: bool) -> Class:
    """Copy a class out of its tensors."""
    nowhere = torch.zeros(0, 3)
    facing, facing_sparse = model.dense.prototypes.facing, model.sparse_prototypes.facing
    count = len(model.sparse)
    return Class(
        sparse=_floats(model.sparse),
        seen=_indices(torch.nonzero(model.seen)[:, 0]),
        modes=_floats(model.shape_modes.flatten(1)),
        barycentric=_floats(model.dense.barycentric.T),
        facing=_floats((facing if visibility and facing is not None else nowhere).T),
        facing_sparse=_floats((facing_sparse if visibility and facing_sparse is not None else nowhere).T),
        edge_pairs=_betas(model.statistics.edge_pairs, [(0, 1), (2, 3)], count),
        frames=_betas(model.statistics.frames, [(0, 1), (0, 2), (0, 3)], count),
    )


def image_tables(seen: Evidence) -> Image:
    """Copy an image's evidence out of its tensors."""
    return Image(sample_tables(seen.dense), sample_tables(seen.sparse))


def sample_tables(samples: ImageSamples) -> Samples:
    """Copy image points out of their tensors."""
    return Samples(
        x=_floats(samples.points[:, 0]),
        y=_floats(samples.points[:, 1]),
        relief=_floats(samples.relief),
        relief_weight=_floats(samples.relief_weight),
        log_semantic=_floats(samples.log_semantic.clamp_min(NEVER)),
    )


def _betas(family: BetaFamily, ends: list[tuple[int, int]], keypoints: int) -> Betas:
    count = len(family.indices)
    edges = torch.stack([family.indices[:, i] * keypoints + family.indices[:, j] for i, j in ends])
    a, b = family.alpha - 1, family.beta - 1
    mode = (a / (a + b)).clamp(EPSILON, 1 - EPSILON)
    at_mode = (a * mode.log() + b * torch.log1p(-mode)).sum() / max(1, count)
    used = torch.bincount(edges.flatten(), minlength=keypoints**2) / max(1, edges.numel())
    return Betas(
        _indices(_dealt(edges)),
        _floats(_dealt(a.T) / max(1, count)),
        _floats(_dealt(b.T) / max(1, count)),
        np.float32(at_mode),
        _floats(used),
    )


def _dealt(columns: Tensor) -> Tensor:
    """(block, row, BLOCK) of (row, column), filled up with zeros; neighbors get into different blocks."""
    blocks = -(-columns.shape[1] // BLOCK)
    padded = torch.nn.functional.pad(columns, (0, blocks * BLOCK - columns.shape[1]))
    return padded.reshape(len(columns), BLOCK, blocks).permute(2, 0, 1)


def _floats(values: Tensor) -> Array:
    return np.ascontiguousarray(values.detach().cpu().numpy(), dtype=np.float32)


def _indices(values: Tensor) -> Index:
    return np.ascontiguousarray(values.cpu().numpy(), dtype=np.uint64)
