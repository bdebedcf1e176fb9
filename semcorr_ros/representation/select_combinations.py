"""The most informative combinations, so that thirty keypoints stay as small and fast as ten."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

PAIRS = torch.combinations(torch.arange(4), 2).tolist()


def select_informative(
    indices: Int[Tensor, "combination 4"], spread: Float[Tensor, "combination"], budget: int, keypoints: int
) -> Int[Tensor, "chosen"]:
    """Rows with the smallest spread, sorted; half of the budget goes round all keypoint pairs first.

    Long edges have the smallest spread: without the round, small parts would be left out.
    """
    if len(indices) <= budget:
        return torch.arange(len(indices))
    order = spread.argsort(stable=True)
    per_pair = max(1, budget // (keypoints * (keypoints - 1)))
    covering = _first_of_each_pair(indices[order], per_pair, keypoints)
    first = torch.zeros(len(indices), dtype=torch.bool)
    first[order[covering][: budget // 2]] = True
    rest = order[~first[order]][: budget - int(first.sum())]
    first[rest] = True
    return first.nonzero()[:, 0]


def _first_of_each_pair(rows: Tensor, per_pair: int, keypoints: int) -> Tensor:
    """Which rows are among the first `per_pair` of some pair of their keypoints."""
    wanted = torch.zeros(len(rows), dtype=torch.bool)
    low, high = rows.sort(-1).values, rows.sort(-1).values
    for a, b in PAIRS:
        key = low[:, a] * keypoints + high[:, b]
        wanted |= (_rank_in_group(key) < per_pair) & (low[:, a] != high[:, b])
    return wanted


def _rank_in_group(key: Tensor) -> Tensor:
    """How many earlier rows have the same key."""
    ordered, order = key.sort(stable=True)
    start = torch.searchsorted(ordered, ordered)
    rank = torch.empty_like(key)
    rank[order] = torch.arange(len(key)) - start
    return rank
