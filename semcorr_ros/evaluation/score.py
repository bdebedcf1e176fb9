"""Scores from predictions: instant, so that a table can be made again without running anything."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jaxtyping import Bool
from torch import Tensor

from semcorr_ros.artifacts import AnnotatedImage, ImagePair
from semcorr_ros.evaluation import THRESHOLDS, pck
from semcorr_ros.evaluation.breakdown import breakdowns
from semcorr_ros.evaluation.geo_aware import Groups, geo_aware
from semcorr_ros.evaluation.journal import Journal, Prediction
from semcorr_ros.evaluation.kap import average_precision

BREAKDOWN_ALPHA = 0.1


@dataclass(frozen=True)
class Protocol:
    """Threshold, and annotations of the images; the defaults give PCK and KAP only."""

    samples: Mapping[str, AnnotatedImage] = field(default_factory=dict)  # by name
    groups: Groups = ()  # of look-alike keypoints, see geo_aware.py
    threshold: str = "bbox"  # or "image"

    def size(self, pair: ImagePair) -> float:
        """Return the length, in pixels, that alpha is a fraction of. Raises ValueError where it is not
        known."""
        if self.threshold == "image" and pair.target not in self.samples:
            raise ValueError(
                f"the threshold 'image' needs the size of {pair.target}, which could not be read"
            )
        image_size = self.samples[pair.target].size if pair.target in self.samples else (0, 0)
        return pck.size_of(self.threshold, pair.target_bbox, image_size)


@dataclass(frozen=True)
class _Answer:
    """A pair with its prediction; `size` is what alpha is a fraction of, pixels."""

    pair: ImagePair
    prediction: Prediction
    size: float

    def correct(self, alpha: float) -> Bool[Tensor, "keypoint"]:
        return pck.correct(self.prediction.points, self.pair.target_keypoints, alpha * self.size)

    def dagger(self, alpha: float) -> Bool[Tensor, "keypoint"]:
        return pck.correct_dagger(self.prediction.points, self.pair.target_keypoints, alpha * self.size)

    def errors(self, alpha: float) -> dict[str, Bool[Tensor, "keypoint"]]:
        return pck.errors(self.prediction.points, self.pair.target_keypoints, alpha * self.size)


def score(
    pairs: Mapping[int, ImagePair], journal: Journal, protocol: Protocol | None = None
) -> dict[str, Any]:
    """Score the pairs that have a prediction, JSON-ready; a number that is not defined is None.

    pck, pck_dagger and errors (miss, jitter, swap) by alpha; kap where the matcher offers a similarity
    map; geo_aware where groups are known; breakdown by what is annotated.
    """
    protocol = protocol or Protocol()
    answers = _answers(pairs, journal, protocol)
    alphas = THRESHOLDS[protocol.threshold]
    numbers: dict[str, Any] = {"threshold": protocol.threshold, **_counts(answers)}
    numbers["pck"] = _pck({alpha: [a.correct(alpha) for a in answers] for alpha in alphas})
    dagger = {alpha: pck.per_image([a.dagger(alpha) for a in answers]) for alpha in alphas}
    numbers["pck_dagger"] = {str(alpha): _defined(value) for alpha, value in dagger.items()}
    numbers["errors"] = {str(alpha): _errors(answers, alpha) for alpha in alphas}
    if found := _kap(answers, protocol.threshold):
        numbers["kap"] = found
    if protocol.groups:
        numbers["geo_aware"] = _geo_aware(answers, protocol)
    shown = [(a.pair, a.correct(BREAKDOWN_ALPHA)) for a in answers if len(a.pair.keypoint_ids)]
    if parts := breakdowns(shown, protocol.samples):
        numbers["breakdown"] = parts
    numbers["seconds_per_image"] = _seconds_per_image(journal, answers)
    return numbers


def mean_errors(pairs: Mapping[int, ImagePair], journal: Journal, protocol: Protocol) -> dict[int, float]:
    """Average the errors, shares of box or image and at most 1 each, of every predicted pair with keypoints.

    It ranks pairs more finely than a share of correct keypoints. No answer counts as 1.
    """
    found = {}
    for index, pair in pairs.items():
        if index in journal.predictions and len(pair.keypoint_ids):
            error = (journal.predictions[index].points - pair.target_keypoints).norm(dim=-1)
            relative = (error / protocol.size(pair)).nan_to_num(nan=1.0)
            found[index] = float(relative.clamp(max=1.0).mean())
    return found


def _answers(pairs: Mapping[int, ImagePair], journal: Journal, protocol: Protocol) -> list[_Answer]:
    return [
        _Answer(pair, journal.predictions[index], protocol.size(pair))
        for index, pair in pairs.items()
        if index in journal.predictions
    ]


def _counts(answers: Sequence[_Answer]) -> dict[str, int]:
    return {"pairs": len(answers), "keypoints": sum(len(a.pair.keypoint_ids) for a in answers)}


def _pck(outcomes: Mapping[float, Sequence[Bool[Tensor, "keypoint"]]]) -> dict[str, Any]:
    return {
        "per_image": {str(alpha): _defined(pck.per_image(every)) for alpha, every in outcomes.items()},
        "per_keypoint": {str(alpha): _defined(pck.per_keypoint(every)) for alpha, every in outcomes.items()},
    }


def _errors(answers: Sequence[_Answer], alpha: float) -> dict[str, float | None]:
    kinds = [answer.errors(alpha) for answer in answers]
    return {
        kind: _defined(pck.per_image([found[kind] for found in kinds])) for kind in ("miss", "jitter", "swap")
    }


def _kap(answers: Sequence[_Answer], threshold: str) -> dict[str, float | None]:
    found = {}
    for alpha in THRESHOLDS[threshold]:
        detections = [a.prediction.kap.get(threshold, {}).get(alpha) for a in answers]
        offered = [d for d in detections if d is not None]
        if len(offered) == len(answers) > 0:
            found[str(alpha)] = _defined(average_precision(offered))
    return found


def _geo_aware(answers: Sequence[_Answer], protocol: Protocol) -> dict[str, Any]:
    """Score the geo-aware keypoints; pairs without any are left out."""
    samples, groups = protocol.samples, protocol.groups
    within = [
        (answer, geo_aware(answer.pair.keypoint_ids, samples[answer.pair.target].visible, groups))
        for answer in answers
        if answer.pair.target in samples
    ]
    within = [(answer, chosen) for answer, chosen in within if chosen.any()]
    alphas = THRESHOLDS[protocol.threshold]
    counts = {"pairs": len(within), "keypoints": sum(int(chosen.sum()) for _, chosen in within)}
    return {**counts, **_pck({a: [answer.correct(a)[chosen] for answer, chosen in within] for a in alphas})}


def _seconds_per_image(journal: Journal, answers: Sequence[_Answer]) -> float | None:
    """Add up encoding, aligning and matching, divided by the number of images."""
    names = {name for answer in answers for name in (answer.pair.source, answer.pair.target)}
    total = sum(journal.image_seconds.get(name, 0.0) for name in names)
    total += sum(answer.prediction.seconds for answer in answers)
    return round(total / len(names), 4) if names else None


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else value
