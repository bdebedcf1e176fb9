"""A class, an image and a plan of steps as flat tensors on the device: what the kernel reads."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semcorr_ros.methods.semalign3d.alignment.state import Evidence, ImageSamples
from semcorr_ros.methods.semalign3d.alignment.terms.geometry import EPSILON
from semcorr_ros.methods.semalign3d.artifacts import BetaFamily, ClassRepresentation

NEVER = -1e9  # stands for log 0, so that no infinity enters the arithmetic


def lanes(count: int, least: int = 16) -> int:
    """Round a dimension up to the power of two that the kernel pads it to."""
    return max(least, 1 << max(0, count - 1).bit_length())


@dataclass(frozen=True)
class Links:
    """One family of measures: which edges, and where their slopes go. Edge i -> j is i * LP + j."""

    links: Int[Tensor, "row combination"]  # edges of a combination, then the box of each
    used: Int[Tensor, "edge"]  # edges that occur
    betas: Float[Tensor, "row combination"]  # alpha - 1, then beta - 1, over the number of combinations
    weights: Float[Tensor, "LP LP"]  # how often an edge occurs, sums to 1
    at_mode: float  # mean log density at the mode, summed over measures
    depth: int  # boxes per edge

    @property
    def room(self) -> int:
        """Boxes in all."""
        return len(self.used) * self.depth


@dataclass(frozen=True)
class Class:
    """Layout of `known`: keypoints (3, LP), share of each in the mean of the annotated (LP), edge weights of
    both families (2, LP, LP), barycentric (LP, NP), facing (3, NP) and (3, LP), modes (3, MP, LP), rates
    (PP), then the Betas of both families.
    """

    known: Float[Tensor, "..."]
    links: Int[Tensor, "..."]
    pairs: Links
    triples: Links


def class_tables(model: ClassRepresentation, visibility: bool, rates: Float[Tensor, "number"]) -> Class:
    """Copy a class out of its tensors."""
    count, points, modes = len(model.sparse), len(model.dense.weight), len(model.shape_modes)
    lp, np, mp = lanes(count), lanes(points), lanes(modes, 1)
    pairs = _links(model.statistics.edge_pairs, [(0, 1), (2, 3)], lp)
    triples = _links(model.statistics.frames, [(0, 1), (0, 2), (0, 3)], lp)
    annotated = model.annotated.to(model.sparse.dtype)
    facing, facing_sparse = model.dense.prototypes.facing, model.sparse_prototypes.facing
    parts = [
        _padded(model.sparse.T, (3, lp)),
        _padded(annotated / annotated.sum().clamp_min(1), (lp,)),
        pairs.weights,
        triples.weights,
        _padded(model.dense.barycentric.T, (lp, np)),
        _padded(_facing(facing, visibility, model.sparse), (3, np)),
        _padded(_facing(facing_sparse, visibility, model.sparse), (3, lp)),
        _padded(model.shape_modes.permute(2, 0, 1), (3, mp, lp)),
        _padded(rates, (lanes(len(rates)),)),
        pairs.betas,
        triples.betas,
    ]
    links = [part.flatten() for family in (pairs, triples) for part in (family.links, family.used)]
    known = torch.cat([part.flatten().to(torch.float32) for part in parts])
    return Class(known.contiguous(), torch.cat(links).to(torch.int32), pairs, triples)


def sample_tables(evidence: Evidence) -> Float[Tensor, "8 pool"]:
    """Stack x, y, relief and its weight of the image points for the dense cloud, then the keypoints."""
    kinds = (evidence.dense, evidence.sparse)
    return torch.cat([torch.stack(_rows(kind)) for kind in kinds]).contiguous()


def semantic_table(samples: ImageSamples) -> Float[Tensor, "pool point"]:
    """Clamp log p_sem, so that no infinity enters the arithmetic."""
    return samples.log_semantic.clamp_min(NEVER).contiguous()


def _rows(kind: ImageSamples) -> list[Tensor]:
    pool = len(kind.points)
    x, y = kind.points.unbind(-1)
    return [x, y, kind.relief.expand(pool), kind.relief_weight.expand(pool)]


def _facing(facing: Tensor | None, visibility: bool, like: Tensor) -> Tensor:
    return facing.T if visibility and facing is not None else like.new_zeros(3, 0)


def _links(family: BetaFamily, ends: list[tuple[int, int]], lp: int) -> Links:
    count = len(family.indices)
    edges = torch.stack([family.indices[:, i] * lp + family.indices[:, j] for i, j in ends])
    used, row, often = edges.flatten().unique(return_inverse=True, return_counts=True)
    depth = lanes(int(often.max()) if count else 0, 1)
    # The count of earlier uses of the same edge: its box.
    order = row.argsort(stable=True)
    begins = often.cumsum(0) - often
    place = torch.empty_like(row)
    place[order] = torch.arange(len(row), device=row.device) - begins[row[order]]
    boxes = (row * depth + place).reshape(edges.shape)
    a, b = family.alpha - 1, family.beta - 1
    mode = (a / (a + b)).clamp(EPSILON, 1 - EPSILON)
    at_mode = (a * mode.log() + b * torch.log1p(-mode)).sum() / max(1, count)
    weights = torch.bincount(edges.flatten(), minlength=lp * lp) / max(1, edges.numel())
    return Links(
        links=torch.cat([edges, boxes]),
        used=used,
        betas=torch.cat([a.T, b.T]) / max(1, count),
        weights=weights.reshape(lp, lp),
        at_mode=float(at_mode),
        depth=depth,
    )


def _padded(values: Tensor, shape: tuple[int, ...]) -> Tensor:
    out = values.new_zeros(shape, dtype=torch.float32)
    out[tuple(slice(0, size) for size in values.shape)] = values
    return out
