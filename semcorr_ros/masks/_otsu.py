"""Otsu's threshold (1979): the split of a histogram that separates two classes best."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from torch import Tensor

BINS = 128


def otsu_threshold(values: Float[Tensor, "*size"]) -> float | None:
    """None where all values are equal: there is nothing to split."""
    flat = values.flatten().double().cpu().numpy()
    if np.ptp(flat) < 1e-6:
        return None
    counts, edges = np.histogram(flat, bins=BINS)
    middles = (edges[:-1] + edges[1:]) / 2
    # The outermost bins are never empty, so both sides of every split hold something.
    below = np.cumsum(counts)[:-1].astype(float)
    above = counts.sum() - below
    mass = np.cumsum(counts * middles)
    mean_gap = mass[:-1] / below - (mass[-1] - mass[:-1]) / above
    return float(edges[1:-1][np.argmax(below * above * mean_gap**2)])
