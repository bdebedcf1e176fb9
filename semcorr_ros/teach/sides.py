"""Which keypoints are left and right of each other: by their names, else by where they are seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from scipy.optimize import linear_sum_assignment

from semcorr_ros.datasets._coco_categories import flip_of

CERTAIN = 0.15  # misfit of a mirrored layout, as a share of its size, above which geometry says nothing
BETTER = 0.6  # share of the second best misfit that the best one must stay below

Pairs = tuple[tuple[str, str], ...]


def proposed_pairs(names: Sequence[str], pictures: Sequence[Mapping[str, tuple[float, float]]]) -> Pairs:
    """Propose pairs. pictures: pixels of the visible keypoints, by name.

    Names with left and right in them say it. Otherwise the view that is most nearly its own mirror image
    does, where it is clearly one.
    """
    flip = flip_of(tuple(names))
    if flip is not None:
        return tuple((names[i], names[j]) for i, j in enumerate(flip) if i < j)
    found = [one for picture in pictures if (one := _mirrored(picture)) is not None]
    return min(found, key=lambda one: one[0])[1] if found else ()


def _mirrored(picture: Mapping[str, tuple[float, float]]) -> tuple[float, Pairs] | None:
    """Find the vertical mirror line on which most of a view falls upon itself; None without a clear one."""
    names = list(picture)
    if len(names) < 4:
        return None
    points = np.array([picture[name] for name in names])
    size = float(np.ptp(points, axis=0).max()) or 1.0
    tried = sorted(_paired(points, names, float(line)) for line in _lines(points))
    best, pairs = tried[0]
    others = [misfit for misfit, other in tried if other != pairs]
    clear = best < CERTAIN * size and (not others or best < BETTER * others[0]) and len(pairs) > 1
    return (best / size, pairs) if clear else None


def _lines(points: np.ndarray) -> set[float]:
    return {float((points[i, 0] + points[j, 0]) / 2) for i, j in combinations(range(len(points)), 2)}


def _paired(points: np.ndarray, names: Sequence[str], line: float) -> tuple[float, Pairs]:
    """Pair every point with the one nearest to its mirror image, one to one; return the mean misfit."""
    mirrored = points * [-1, 1] + [2 * line, 0]
    cost = np.linalg.norm(mirrored[:, None] - points[None], axis=-1)
    rows, columns = linear_sum_assignment(cost + cost.T)
    partner = dict(zip(rows.tolist(), columns.tolist(), strict=True))
    pairs = tuple((names[i], names[j]) for i, j in partner.items() if i < j and partner[j] == i)
    return float(cost[rows, columns].mean()), pairs
