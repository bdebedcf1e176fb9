"""The target cell whose feature is most similar to the source point's: the usual baseline."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.artifacts import Correspondences, KeypointState
from semcorr_ros.geometry import grid
from semcorr_ros.matching import View
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation

NEEDS_ALIGNMENT = False


def match(
    model: ClassRepresentation | None, source: View, target: View, points: Float[Tensor, "point 2"]
) -> Correspondences:
    """Centre of the best target cell; score is its cosine similarity, xyz is unknown."""
    features = target.seen.features
    cosine = similarity(model, source, target, points)
    score, cell = cosine.flatten(1).max(-1)
    return Correspondences(
        points=grid.centers(features).reshape(-1, 2)[cell],
        score=score.clamp(0, 1),
        state=torch.full_like(cell, KeypointState.VISIBLE),
        xyz=cosine.new_full((len(cell), 3), torch.nan),
    )


def similarity(
    model: ClassRepresentation | None, source: View, target: View, points: Float[Tensor, "point 2"]
) -> Float[Tensor, "point height width"]:
    """Cosine similarity of the source points to every target cell; what KAP ranks."""
    features = target.seen.features
    query = grid.features_at(source.seen.features, points.to(features.values))
    return torch.einsum("pc,hwc->phw", query, features.values)
