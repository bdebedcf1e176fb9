"""Nearest neighbor, then the mean of the cells around it weighted by similarity: the baseline that is
precise below one cell (GeoAware-SC, CVPR 2024, Section 3.4)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.artifacts import Correspondences, FeatureMap, KeypointState
from semcorr_ros.geometry import grid
from semcorr_ros.methods._features import cosine_similarity, method

WINDOW = 5  # cells to each side of the best one; the authors' choice for features without an adapter
ADAPTED = {"geoaware": 7, "adapter": 7}  # and for features with one, by backbone
TEMPERATURE = 0.02


def match(source: FeatureMap, target: FeatureMap, points: Float[Tensor, "point 2"]) -> Correspondences:
    """Average positions around the best cell; score is the best cosine similarity, xyz is unknown."""
    cosine = cosine_similarity(source, target, points)
    window = ADAPTED.get(target.backbone.partition(":")[0], WINDOW)
    columns, rows = expected_cell(cosine, window, TEMPERATURE).unbind(-1)
    first = grid.centers(target)[0, 0]
    size = torch.tensor(grid.cell_size(target), device=cosine.device)
    return Correspondences(
        points=first + torch.stack([columns, rows], -1) * size,
        score=cosine.flatten(1).amax(-1).clamp(0, 1),
        state=torch.full((len(cosine),), int(KeypointState.VISIBLE), device=cosine.device),
        xyz=cosine.new_full((len(cosine), 3), torch.nan),
    )


def expected_cell(
    similarity: Float[Tensor, "point height width"], window: int, temperature: float
) -> Float[Tensor, "point 2"]:
    """Compute the expected (column, row) of each point, fractional.

    As in the authors' code, similarities outside the window become 0 and still take part: where the
    best one is not much larger than 0, the result is drawn to the middle of the grid. Theirs includes
    the cells of the padding.
    """
    _, h, w = similarity.shape
    best = similarity.flatten(1).argmax(-1)
    row, column = torch.arange(h, device=best.device), torch.arange(w, device=best.device)
    near_row = (row - (best // w)[:, None]).abs() <= window
    near_column = (column - (best % w)[:, None]).abs() <= window
    kept = similarity * (near_row[:, :, None] & near_column[:, None, :])
    weight = torch.softmax(kept.flatten(1) / temperature, dim=-1).view_as(kept)
    return torch.stack([weight.sum(1) @ column.to(weight), weight.sum(2) @ row.to(weight)], -1)


PLUGIN = method(match)
