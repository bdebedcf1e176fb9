"""Index tuples whose geometry the statistics describe: pairs of edges and triangle-plus-vertex frames."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int
from torch import Tensor


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
    """Whether all keypoints of a combination are visible in a view."""
    shown = visible.index_select(1, indices[:, 0])
    for column in range(1, 4):
        shown = shown & visible.index_select(1, indices[:, column])
    return shown
