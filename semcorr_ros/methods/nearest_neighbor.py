"""Choose the target cell whose feature is most similar to the source point's: the usual baseline."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.artifacts import Correspondences, FeatureMap, KeypointState
from semcorr_ros.geometry import grid
from semcorr_ros.methods._features import cosine_similarity, method


def match(source: FeatureMap, target: FeatureMap, points: Float[Tensor, "point 2"]) -> Correspondences:
    """Find the centre of the best target cell; score is its cosine similarity, xyz is unknown."""
    cosine = cosine_similarity(source, target, points)
    score, cell = cosine.flatten(1).max(-1)
    return Correspondences(
        points=grid.centers(target).reshape(-1, 2)[cell],
        score=score.clamp(0, 1),
        state=torch.full_like(cell, KeypointState.VISIBLE),
        xyz=cosine.new_full((len(cell), 3), torch.nan),
    )


PLUGIN = method(match)
