"""KAP: keypoint average precision (SphericalMaps, CVPR 2024, Section 4.1).

PCK measures where a keypoint is; KAP also whether the similarity tells that it is absent: every source
keypoint counts, and one that is invisible in the target should have a low similarity everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from semcorr_ros.artifacts import FeatureMap
from semcorr_ros.geometry import grid, letterbox

GRIDS = ("features", "letterbox")


@dataclass(frozen=True)
class Detections:
    """Scores that should be high (positive) and that should be low (negative)."""

    scores: tuple[float, ...]
    positive: tuple[bool, ...]


@dataclass(frozen=True)
class Cells:
    """Cells of the target for KAP, with all lengths in one frame."""

    similarity: Float[Tensor, "keypoint cell"]
    corners: Float[Tensor, "cell 2"]  # top left
    target: Float[Tensor, "keypoint 2"]  # anything where not visible
    per_pixel: float  # lengths of this frame per image pixel


def cells(
    similarity: Float[Tensor, "keypoint height width"],
    features: FeatureMap,
    target: Float[Tensor, "keypoint 2"],
    kind: str,
) -> Cells:
    """Lay out the cells of the target's features, or ("letterbox") those of the published protocol.

    target: pixels. Raises ValueError for another kind.
    """
    if kind == "features":
        corners = grid.centers(features).cpu() - torch.tensor(grid.cell_size(features)) / 2
        return Cells(similarity.flatten(1), corners.reshape(-1, 2), target, 1.0)
    if kind == "letterbox":
        return _on_canvas(similarity, features, target)
    raise ValueError(f"unknown grid {kind!r} for KAP; choose from {', '.join(GRIDS)}")


def _on_canvas(
    similarity: Float[Tensor, "keypoint height width"],
    features: FeatureMap,
    target: Float[Tensor, "keypoint 2"],
) -> Cells:
    """Resample similarities to the published canvas, without its padding: our features have no cells
    there."""
    place = letterbox.letterboxed(features.image_size)
    x, y, width, height = grid.window(features)
    cell = letterbox.SIDE // letterbox.CELLS
    starts = torch.arange(letterbox.CELLS).float() * cell
    corners = torch.stack(torch.meshgrid(starts, starts, indexing="xy"), -1).reshape(-1, 2)
    inside = letterbox.to_image(corners + cell / 2, place) - torch.tensor([x, y])
    shown = ((inside >= 0) & (inside < torch.tensor([width, height]))).all(-1)
    values = grid.sample(similarity.permute(1, 2, 0), inside[shown].to(similarity), (height, width))
    return Cells(values.T, corners[shown], letterbox.to_canvas(target, place), place.scale[0])


def detections(shown: Cells, visible: Bool[Tensor, "keypoint"], radius: float) -> Detections:
    """Collect the detections of one pair: per keypoint the best cell near its target and the best one
    elsewhere.

    Similarities are min-max normalized over all cells and keypoints of the pair. radius: image pixels.
    Distances are measured from the top left corner of a cell, and the nearest cell always counts as near, as
    the authors do.
    """
    if len(shown.similarity) == 0:
        return Detections((), ())
    low, high = shown.similarity.min(), shown.similarity.max()
    normalized = (shown.similarity - low) / (high - low).clamp_min(1e-12)
    near = _near_cells(shown, radius * shown.per_pixel)
    best_near = torch.where(near, normalized, -torch.inf).amax(1)
    best_far = torch.where(near & visible[:, None], -torch.inf, normalized).amax(1)
    scores, positive = [], []
    for k in range(len(normalized)):
        if visible[k]:
            scores.append(float(best_near[k]))
            positive.append(True)
        if torch.isfinite(best_far[k]):
            scores.append(float(best_far[k]))
            positive.append(False)
    return Detections(tuple(scores), tuple(positive))


def average_precision(found: Sequence[Detections]) -> float:
    """Sum (recall step) x precision over falling thresholds, equal scores together; NaN without positives."""
    ranked = sorted(((s, p) for d in found for s, p in zip(d.scores, d.positive, strict=True)), reverse=True)
    total = sum(positive for _, positive in ranked)
    if not total:
        return float("nan")
    area, hits, previous = 0.0, 0, 0
    for i, (score, positive) in enumerate(ranked, start=1):
        hits += positive
        if i == len(ranked) or ranked[i][0] != score:
            area += (hits - previous) * hits / i
            previous = hits
    return area / total  # once: a sum of shares would end beside 1


def _near_cells(shown: Cells, radius: float) -> Bool[Tensor, "keypoint cell"]:
    distance = (shown.corners[None] - shown.target.nan_to_num()[:, None]).norm(dim=-1)
    near = distance < radius
    return near.scatter(1, distance.argmin(1, keepdim=True), True)
