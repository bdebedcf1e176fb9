"""The target cell whose feature is most similar to the source point's: the usual baseline."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.artifacts import ClassRepresentation, Correspondences, KeypointState
from semcorr_ros.geometry import grid
from semcorr_ros.matching import View

NEEDS_ALIGNMENT = False


def match(
    model: ClassRepresentation | None, source: View, target: View, points: Float[Tensor, "point 2"]
) -> Correspondences:
    """Centre of the best target cell; score is its cosine similarity, xyz is unknown."""
    features = target.seen.features
    query = grid.features_at(source.seen.features, points.to(features.values))
    h, w, channels = features.values.shape
    score, cell = (query @ features.values.reshape(-1, channels).T).max(-1)
    return Correspondences(
        points=grid.cell_centers((h, w), features.image_size).to(query).reshape(-1, 2)[cell],
        score=score.clamp(0, 1),
        state=torch.full_like(cell, KeypointState.VISIBLE),
        xyz=query.new_full((len(cell), 3), torch.nan),
    )
