"""PCK: the share of keypoints predicted within alpha times the size of the target box or image.

Comparisons are strict (<), in pixels of the original image. A prediction of NaN is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from semcorr_ros.evaluation import THRESHOLDS

Box = tuple[float, float, float, float]


def box_size(box: Box) -> float:
    """Return max(width, height) of a box x1, y1, x2, y2, in pixels."""
    x1, y1, x2, y2 = box
    return max(x2 - x1, y2 - y1)


def size_of(threshold: str, box: Box, image_size: tuple[int, int]) -> float:
    """Return the length, in pixels, that alpha is a fraction of. Raises ValueError for another threshold."""
    if threshold not in THRESHOLDS:
        raise ValueError(f"unknown threshold {threshold!r}; choose from {', '.join(THRESHOLDS)}")
    return box_size(box) if threshold == "bbox" else float(max(image_size))


def correct(
    predicted: Float[Tensor, "keypoint 2"], target: Float[Tensor, "keypoint 2"], radius: float
) -> Bool[Tensor, "keypoint"]:
    """Find the predictions nearer than `radius` pixels to their target."""
    return (predicted - target).norm(dim=-1) < radius


def correct_dagger(
    predicted: Float[Tensor, "keypoint 2"], target: Float[Tensor, "keypoint 2"], radius: float
) -> Bool[Tensor, "keypoint"]:
    """Find predictions that are `correct` and nearer to no other target keypoint (Aygun and Mac Aodha 2022).

    Only the keypoints given - those visible in both images - compete; a tie goes to the first.
    """
    if len(target) == 0:
        return torch.zeros(0, dtype=torch.bool)
    nearest = _distances(predicted, target).argmin(dim=1)
    own = torch.arange(len(target), device=nearest.device)
    return correct(predicted, target, radius) & (nearest == own)


def errors(
    predicted: Float[Tensor, "keypoint 2"], target: Float[Tensor, "keypoint 2"], radius: float
) -> dict[str, Bool[Tensor, "keypoint"]]:
    """Find the kinds of mistakes (Aygun and Mac Aodha 2022); a prediction may have several kinds or none.

    miss: no keypoint within the radius; jitter: the own one within twice the radius but not within it; swap:
    another keypoint is nearer than the own one, and within the radius.
    """
    if len(target) == 0:
        return dict.fromkeys(("miss", "jitter", "swap"), torch.zeros(0, dtype=torch.bool))
    distance = _distances(predicted, target)
    own, (least, nearest) = distance.diagonal(), distance.min(dim=1)
    other = nearest != torch.arange(len(target), device=nearest.device)
    return {
        "miss": least >= radius,
        "jitter": (own >= radius) & (own <= 2 * radius),
        "swap": other & (least < radius),
    }


def per_image(outcomes: Sequence[Bool[Tensor, "keypoint"]]) -> float:
    """Average over pairs each pair's share of correct keypoints; pairs without keypoints do not count."""
    shares = [float(outcome.double().mean()) for outcome in outcomes if len(outcome)]
    return sum(shares) / len(shares) if shares else float("nan")


def per_keypoint(outcomes: Sequence[Bool[Tensor, "keypoint"]]) -> float:
    """Compute the share of correct keypoints over all pairs together."""
    total = sum(len(outcome) for outcome in outcomes)
    return sum(int(outcome.sum()) for outcome in outcomes) / total if total else float("nan")


def _distances(
    predicted: Float[Tensor, "keypoint 2"], target: Float[Tensor, "keypoint 2"]
) -> Float[Tensor, "keypoint keypoint"]:
    """Compute distances from every prediction to every target keypoint; infinite where there is no
    prediction."""
    # Not torch.cdist: its matrix-product form would round ties and thresholds away.
    return (predicted[:, None] - target[None]).norm(dim=-1).nan_to_num(nan=torch.inf, posinf=torch.inf)
