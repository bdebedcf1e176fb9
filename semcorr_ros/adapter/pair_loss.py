"""What a pair of pictures teaches: both losses on their adapted maps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from semcorr_ros.adapter.config import TrainConfig
from semcorr_ros.adapter.losses import end_point_error, sparse_contrastive
from semcorr_ros.artifacts import FeatureMap
from semcorr_ros.features._adapter_network import adapt, split
from semcorr_ros.geometry import grid

ALPHA = 0.1  # of PCK
FEWEST = 2  # points: of one there is nothing to tell it from


@dataclass(frozen=True)
class Pair:
    """Frozen maps of two pictures and places that show the same, pixels of the originals."""

    source: FeatureMap
    target: FeatureMap
    source_points: Float[Tensor, "match 2"]
    target_points: Float[Tensor, "match 2"]
    side: float  # of the object in the target, pixels
    dense_only: bool = False  # a mirrored pair: only where things are, as published

    def __len__(self) -> int:
        return len(self.source_points)


def pair_loss(
    network: nn.Module, pair: Pair, config: TrainConfig, draws: torch.Generator | None
) -> dict[str, Tensor]:
    """Compute the losses and their sum, `total`. draws: of dropout and noise; None: without either."""
    share = 0.0 if draws is None else config.dropout
    source, target = (_adapted(network, one, share, draws) for one in (pair.source, pair.target))
    here = grid.features_at(source, pair.source_points)
    there = grid.features_at(target, pair.target_points)
    wanted = _cells(target, pair.target_points)
    if draws is not None:
        spread = config.noise * pair.side / 2 / torch.tensor(grid.cell_size(target))
        wanted = wanted + (torch.randn(wanted.shape, generator=draws) * spread).to(wanted)
    zero = here.sum() * 0.0
    enough = len(pair) >= FEWEST
    scale = network.get_parameter("logit_scale")
    sparse = sparse_contrastive(here, there, scale) if enough and not pair.dense_only else zero
    dense = end_point_error(here, target.values, wanted, config.temperature) if len(pair) else zero
    return {"sparse": sparse, "dense": dense, "total": sparse + dense}


def pck(network: nn.Module, pair: Pair) -> float:
    """Compute the share of points whose best cell lies within 0.1 of the object's size."""
    source, target = (_adapted(network, one, 0.0, None) for one in (pair.source, pair.target))
    similarity = torch.einsum("pc,hwc->phw", grid.features_at(source, pair.source_points), target.values)
    best = grid.centers(target).reshape(-1, 2)[similarity.flatten(1).argmax(-1)]
    return float(((best - pair.target_points).norm(dim=-1) < ALPHA * pair.side).float().mean())


def _adapted(network: Any, features: FeatureMap, dropout: float, draws: torch.Generator | None) -> FeatureMap:
    maps = split(features.values, network.channels)
    if draws is not None and dropout > 0:
        kept = [(torch.rand(one.shape, generator=draws) >= dropout).to(one) for one in maps]
        maps = [one * keep / (1 - dropout) for one, keep in zip(maps, kept, strict=True)]
    return replace(features, values=adapt(network, maps))


def _cells(features: FeatureMap, points: Float[Tensor, "match 2"]) -> Float[Tensor, "match 2"]:
    """Compute the (column, row) of pixels on the cells of a map."""
    x, y, width, height = grid.window(features)
    h, w, _ = features.values.shape
    return grid.pixels_to_cells(points - points.new_tensor([x, y]), (h, w), (height, width))
