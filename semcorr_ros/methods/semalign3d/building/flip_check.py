"""Check whether a left/right flip table fits the data. A wrong one would ruin every mirrored view.

Mirroring an image and renaming its keypoints must give another picture of the same class. So the mean
log distances between keypoints must survive the renaming, and the signed volumes of keypoint quadruples
must survive mirroring together with renaming; both are measured against how much they vary anyway.
The second test also catches tables that fit the distances but swap nothing, such as the identity.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from semcorr_ros.methods.semalign3d.artifacts import Views
from semcorr_ros.methods.semalign3d.building.lift_views import add_mirrored
from semcorr_ros.methods.semalign3d.building.pairwise import log_distances, signed_volumes

ASYMMETRY = 0.1  # allowed besides sampling: log distances 10 % off, volumes by a tenth of a cube corner
ACCEPT = 1.6  # deviation over what is expected of a right table; right ones give about 1, wrong ones 3 to 10
MAX_SUBSETS = 5000


@dataclass(frozen=True)
class FlipCheck:
    """Whether mirroring may be used, and the sentence that says why."""

    accepted: bool
    reason: str
    distance_score: float  # root mean square deviation over the expected one
    volume_score: float
    well_formed: bool = True  # False: no table, or one that is no swap of these keypoints


def check_flip(views: Views, flip: tuple[int, ...] | None, generator: torch.Generator) -> FlipCheck:
    """Check a flip table on the original views."""
    problem = _malformed(flip, views.points.shape[1])
    if flip is None or problem:
        return FlipCheck(False, problem, 0.0, 0.0, well_formed=False)
    distance = _distance_score(views, flip)
    volume = _volume_score(views, flip, generator)
    accepted = max(distance, volume) <= ACCEPT
    verdict = "fits" if accepted else "does not fit"
    reason = (
        f"the flip table {verdict} the keypoints: mirrored distances deviate {distance:.1f} times and "
        f"mirrored volumes {volume:.1f} times as much as expected (at most {ACCEPT} is accepted)"
    )
    return FlipCheck(accepted, reason, distance, volume)


def _malformed(flip: tuple[int, ...] | None, keypoints: int) -> str:
    if flip is None:
        return "no flip table is known for this category"
    if sorted(flip) != list(range(keypoints)) or any(flip[flip[i]] != i for i in range(keypoints)):
        return f"the flip table {list(flip)} does not swap {keypoints} keypoints in pairs"
    return ""


def _distance_score(views: Views, flip: tuple[int, ...]) -> float:
    order = torch.tensor(flip)
    distances = log_distances(views)
    mean, count = distances.mean, distances.count
    variance = _pooled(distances.spread, count)
    return _score(mean, mean[order][:, order], count, count[order][:, order], variance)


def _volume_score(views: Views, flip: tuple[int, ...], generator: torch.Generator) -> float:
    subsets = torch.combinations(torch.arange(views.points.shape[1]), 4)
    if len(subsets) > MAX_SUBSETS:
        subsets = subsets[torch.randperm(len(subsets), generator=generator)[:MAX_SUBSETS]]
    both = add_mirrored(views, flip)
    half = len(views.names)
    mirrored = Views(both.points[half:], both.visible[half:], both.mirrored[half:], views.names)
    mean, spread, count = signed_volumes(views, subsets)
    other, _, other_count = signed_volumes(mirrored, subsets)
    return _score(mean, other, count, other_count, _pooled(spread, count))


def _pooled(spread: Tensor, count: Tensor) -> float:
    """Pool the unbiased variance of single views around their mean over all that is measured twice."""
    often = count >= 2
    return float((count * spread**2)[often].sum() / (count - 1)[often].sum().clamp_min(1))


def _score(first: Tensor, second: Tensor, count: Tensor, other: Tensor, variance: float) -> float:
    """Divide the deviation of two sets of means by the one expected; 0 if no measure occurs on both sides."""
    both = (count > 0) & (other > 0)
    if not both.any():
        return 0.0
    expected = variance * (1 / count[both] + 1 / other[both]) + ASYMMETRY**2
    return float(((first[both] - second[both]) ** 2).sum().div(expected.sum()).sqrt())
