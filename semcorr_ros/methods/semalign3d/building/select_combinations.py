"""The most informative combinations, so that thirty keypoints stay as small and fast as ten."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

PAIRS = torch.combinations(torch.arange(4), 2).tolist()


def select_informative(
    indices: Int[Tensor, "combination 4"], spread: Float[Tensor, "combination"], budget: int, keypoints: int
) -> Int[Tensor, "chosen"]:
    """Choose the rows with the smallest spread, sorted; half of the budget goes round all pairs first.

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
    """Find which rows are among the first `per_pair` that hold some pair of keypoints."""
    ordered = rows.sort(-1).values
    keys = torch.stack([ordered[:, a] * keypoints + ordered[:, b] for a, b in PAIRS], -1)
    real = torch.stack([ordered[:, a] != ordered[:, b] for a, b in PAIRS], -1)
    # A vertex that two edges share holds its pairs twice; only the first mention counts.
    repeated = (keys[:, :, None] == keys[:, None]).tril(-1).any(-1)
    rank = _rank_in_group(torch.where(real & ~repeated, keys, -1).flatten()).view_as(keys)
    return ((rank < per_pair) & real & ~repeated).any(-1)


def _rank_in_group(key: Tensor) -> Tensor:
    """Count the earlier rows with the same key."""
    ordered, order = key.sort(stable=True)
    start = torch.searchsorted(ordered, ordered)
    rank = torch.empty_like(key)
    rank[order] = torch.arange(len(key)) - start
    return rank
