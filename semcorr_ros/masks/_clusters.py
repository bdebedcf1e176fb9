"""Measured points to pieces that stand apart, and their boxes."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from semcorr_ros.geometry.boxes import Box
from semcorr_ros.masks._pieces import label
from semcorr_ros.masks._planes import NOISE

MOST_CELLS = 4_000_000  # of a footprint


def footprints(
    points: Float[Tensor, "h w 3"],
    standing: Bool[np.ndarray, "h w"],
    normal: Float[Tensor, "3"],
    finest: float,
) -> Int[np.ndarray, "h w"]:
    """Number what stands apart on the support plane, seen along its normal; 0 = nothing.

    A cup's inside is far behind its rim, but stands where the cup stands. finest: metres that two things are
    apart at least.
    """
    numbers = np.zeros(standing.shape, np.int32)
    points = points[torch.from_numpy(standing)]
    if len(points) == 0:
        return numbers
    across = torch.linalg.svd(normal[None]).Vh[1:]
    cell = max(finest, NOISE * float(points[:, 2].median()))
    at = ((points @ across.T) / cell).floor().int()
    at = (at - at.amin(0) + 1).numpy()
    extent = at.max(0) + 2
    if extent.prod() > MOST_CELLS:  # of a hall: nothing that stands in it has this few cells
        return numbers
    grid = np.zeros(extent, np.uint8)
    grid[at[:, 0], at[:, 1]] = 1
    _, labels = cv2.connectedComponents(cv2.dilate(grid, np.ones((3, 3), np.uint8)), connectivity=8)
    numbers[standing] = labels[at[:, 0], at[:, 1]]
    return numbers


def surfaces(
    z: Float[np.ndarray, "h w"], rest: Bool[np.ndarray, "h w"], limit: Float[np.ndarray, "h w"]
) -> tuple[Int[np.ndarray, "h w"], Int[np.ndarray, "label"]]:
    """Number surfaces without a step in depth above a limit, and count pixels: what touches is told apart."""
    cut = np.zeros_like(rest)
    cut[:, :-1] |= np.abs(np.diff(z, axis=1)) > limit[:, :-1]
    cut[:-1] |= np.abs(np.diff(z, axis=0)) > limit[:-1]
    return label(rest & ~cut)


def boxes(pieces: Int[np.ndarray, "h w"]) -> list[tuple[int, Box]]:
    """Measure area and box of every piece."""
    rows, columns = np.nonzero(pieces)
    if len(rows) == 0:
        return []
    numbers = pieces[rows, columns]
    count = int(numbers.max()) + 1
    low, high = np.full((count, 2), 2**30), np.full((count, 2), -1)
    at = np.stack([columns, rows], -1)
    np.minimum.at(low, numbers, at)
    np.maximum.at(high, numbers, at)
    areas = np.bincount(numbers, minlength=count)
    size = high - low + 1
    return [
        (int(areas[i]), (int(low[i, 0]), int(low[i, 1]), int(size[i, 0]), int(size[i, 1])))
        for i in np.flatnonzero(areas)
    ]
