"""Index tuples whose geometry the statistics describe, and which of them are the most informative.

Pairs of edges, and triangle-plus-vertex frames. Thirty keypoints have too many of both: those that are chosen
keep a class as small and fast as one of ten.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

PAIRS = torch.combinations(torch.arange(4), 2).tolist()


def all_edge_pairs(keypoints: int) -> Int[Tensor, "combination 4"]:
    """List unordered pairs of distinct undirected edges (i < j), those that share a vertex included."""
    edges = torch.combinations(torch.arange(keypoints), 2)
    pairs = torch.combinations(torch.arange(len(edges)), 2)
    return edges[pairs].reshape(-1, 4)


def all_frames(keypoints: int) -> Int[Tensor, "combination 4"]:
    """List the four cyclic rotations of every 4-subset: a triangle and a vertex seen from its corner."""
    subsets = torch.combinations(torch.arange(keypoints), 4)
    return torch.cat([subsets.roll(-turn, dims=1) for turn in range(4)])


def shown_by(
    visible: Bool[Tensor, "view keypoint"], indices: Int[Tensor, "combination 4"]
) -> Bool[Tensor, "view combination"]:
    """Tell which views show all keypoints of which combinations."""
    shown = visible.index_select(1, indices[:, 0])
    for column in range(1, 4):
        shown = shown & visible.index_select(1, indices[:, column])
    return shown


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
