"""Candidate matches of two pictures: nearest neighbours of fused features that come back near their start
(Section 3.2 of the paper; relaxed cyclic consistency after Aberman et al. 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from semcorr_ros.mesh_prior.lifted_view import View

CHUNK = 1024  # rows of a similarity matrix at a time


@dataclass(frozen=True)
class Candidates:
    """Matched cells of two views."""

    source: Int[Tensor, "match"]  # rows of the source view
    target: Int[Tensor, "match"]
    similarity: Float[Tensor, "match"]
    away: Float[Tensor, "match"]  # pixels between the start and where the way back ends

    def __len__(self) -> int:
        return len(self.source)

    def kept(self, which: Bool[Tensor, "match"]) -> Candidates:
        """Select matches."""
        return Candidates(*(one[which] for one in (self.source, self.target, self.similarity, self.away)))


def fuse(parts: Sequence[Float[Tensor, "cell _"]], weights: Sequence[float]) -> Float[Tensor, "cell channel"]:
    """Concatenate unit parts, each times its weight, to unit length: weights enter similarities squared."""
    scaled = [weight * normalize(part, dim=-1) for part, weight in zip(parts, weights, strict=True)]
    return normalize(torch.cat(scaled, -1), dim=-1)


def find_candidates(source: View, target: View, weights: Sequence[float]) -> Candidates:
    """Match every cell of the source to its nearest neighbour, and measure the way back.

    weights: of the backbone's features, and of the mesh's descriptors.
    """
    here, there = (fuse((one.features, one.descriptors), weights) for one in (source, target))
    similarity, forward = nearest(here, there)
    _, backward = nearest(there, here)
    returned = backward[forward]
    away = (source.pixels[returned] - source.pixels).norm(dim=-1)
    return Candidates(torch.arange(len(forward)), forward, similarity, away)


def cyclic(found: Candidates, source: View, tolerance: float) -> Bool[Tensor, "match"]:
    """Tell which matches come back within `tolerance` of the object's longer side, inclusive."""
    return found.away <= tolerance * source.side


def nearest(
    queries: Float[Tensor, "query channel"], keys: Float[Tensor, "key channel"]
) -> tuple[Float[Tensor, "query"], Int[Tensor, "query"]]:
    """Find the most similar key of each query; the first of equal ones."""
    parts = [(rows @ keys.T).max(-1) for rows in queries.split(CHUNK)]
    return torch.cat([one.values for one in parts]), torch.cat([one.indices for one in parts])
