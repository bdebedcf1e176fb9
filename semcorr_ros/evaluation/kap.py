"""KAP: keypoint average precision (SphericalMaps, CVPR 2024, Section 4.1).

PCK asks where a keypoint is; KAP also asks whether the similarity tells that it is not there: every
source keypoint counts, and one that is invisible in the target may only produce a low similarity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True)
class Detections:
    """Scores that should be high (positive) and that should be low (negative)."""

    scores: tuple[float, ...]
    positive: tuple[bool, ...]


def detections(
    similarity: Float[Tensor, "keypoint height width"],
    target: Float[Tensor, "keypoint 2"],
    visible: Bool[Tensor, "keypoint"],
    image_size: tuple[int, int],
    radius: float,
) -> Detections:
    """What one pair contributes: per keypoint the best cell near its target and the best one elsewhere.

    similarity: of every source keypoint to every target cell; min-max normalized over all of them.
    target: pixels, ignored where not visible. radius: pixels. Distances are measured from the top
    left corner of a cell, and the nearest cell always counts as near, as the authors do.
    """
    if len(similarity) == 0:
        return Detections((), ())
    low, high = similarity.min(), similarity.max()
    flat = ((similarity - low) / (high - low).clamp_min(1e-12)).flatten(1)
    near = _near_cells(target.nan_to_num(), similarity.shape[1:], image_size, radius)
    best_near = torch.where(near, flat, -torch.inf).amax(1)
    best_far = torch.where(near & visible[:, None], -torch.inf, flat).amax(1)
    scores, positive = [], []
    for k in range(len(flat)):
        if visible[k]:
            scores.append(float(best_near[k]))
            positive.append(True)
        if torch.isfinite(best_far[k]):
            scores.append(float(best_far[k]))
            positive.append(False)
    return Detections(tuple(scores), tuple(positive))


def average_precision(found: Sequence[Detections]) -> float:
    """Sum of (recall step) x precision over falling thresholds, equal scores together.

    NaN without positives.
    """
    ranked = sorted(((s, p) for d in found for s, p in zip(d.scores, d.positive, strict=True)), reverse=True)
    total = sum(positive for _, positive in ranked)
    if not total:
        return float("nan")
    area, hits, previous = 0.0, 0, 0
    for i, (score, positive) in enumerate(ranked, start=1):
        hits += positive
        if i == len(ranked) or ranked[i][0] != score:
            area += (hits - previous) / total * hits / i
            previous = hits
    return area


def _near_cells(
    target: Float[Tensor, "keypoint 2"], grid: torch.Size, image_size: tuple[int, int], radius: float
) -> Bool[Tensor, "keypoint cell"]:
    (h, w), (height, width) = grid, image_size
    y = torch.arange(h, device=target.device, dtype=target.dtype) / h * height
    x = torch.arange(w, device=target.device, dtype=target.dtype) / w * width
    corners = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1).reshape(-1, 2)
    distance = (corners[None] - target[:, None]).norm(dim=-1)
    near = distance < radius
    return near.scatter(1, distance.argmin(1, keepdim=True), True)
