"""Predictions to numbers: instant, so that a table can be made again without running anything."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jaxtyping import Bool
from torch import Tensor

from semcorr_ros.artifacts import AnnotatedImage, ImagePair
from semcorr_ros.evaluation import THRESHOLDS, pck
from semcorr_ros.evaluation.breakdowns import LEVELS, levels_of
from semcorr_ros.evaluation.geo_aware import Groups, geo_aware
from semcorr_ros.evaluation.journal import Journal, Prediction
from semcorr_ros.evaluation.kap import average_precision


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
    pairs: Mapping[int, ImagePair],
    journal: Journal,
    samples: Mapping[str, AnnotatedImage] | None = None,
    groups: Groups = (),
    threshold: str = "bbox",
) -> dict[str, Any]:
    """All numbers of the pairs that have a prediction, JSON-ready; a number that is not defined is None.

    pck, pck_dagger and errors (miss, jitter, swap) by alpha; kap where the matcher offers a similarity
    map; geo_aware where `samples` and `groups` are given; breakdown by what is annotated. The threshold
    "image" needs `samples`. Raises ValueError for an unknown threshold.
    """
    samples = samples or {}
    answers = [
        _Answer(pair, journal.predictions[index], _size(pair, samples, threshold))
        for index, pair in pairs.items()
        if index in journal.predictions
    ]
    alphas = THRESHOLDS[threshold]
    numbers: dict[str, Any] = {"threshold": threshold, **_counts(answers)}
    numbers["pck"] = _pck({alpha: [a.correct(alpha) for a in answers] for alpha in alphas})
    dagger = {alpha: pck.per_image([a.dagger(alpha) for a in answers]) for alpha in alphas}
    numbers["pck_dagger"] = {str(alpha): _defined(value) for alpha, value in dagger.items()}
    numbers["errors"] = {str(alpha): _errors(answers, alpha) for alpha in alphas}
    numbers["kap"] = _kap(answers, threshold)
    numbers["geo_aware"] = _geo_aware(answers, samples, groups, threshold) if groups else None
    numbers["breakdown"] = _breakdown(answers, samples, threshold)
    names = {name for answer in answers for name in (answer.pair.source, answer.pair.target)}
    numbers["seconds_per_image"] = _seconds_per_image(names, journal, answers)
    return {key: value for key, value in numbers.items() if value not in ({}, None) or key.startswith("s")}


def mean_errors(
    pairs: Mapping[int, ImagePair],
    journal: Journal,
    samples: Mapping[str, AnnotatedImage],
    threshold: str = "bbox",
) -> dict[int, float]:
    """Per predicted pair with keypoints: mean error as a fraction of the box or image, each at most 1.

    It ranks pairs more finely than a share of correct keypoints. No answer counts as 1.
    """
    found = {}
    for index, pair in pairs.items():
        if index in journal.predictions and len(pair.keypoint_ids):
            error = (journal.predictions[index].points - pair.target_keypoints).norm(dim=-1)
            relative = error / _size(pair, samples, threshold)
            found[index] = float(relative.nan_to_num(nan=1.0).clamp(max=1.0).mean())
    return found


def _size(pair: ImagePair, samples: Mapping[str, AnnotatedImage], threshold: str) -> float:
    if threshold == "image" and pair.target not in samples:
        raise ValueError(f"the threshold 'image' needs the size of {pair.target}, which could not be read")
    image_size = samples[pair.target].size if pair.target in samples else (0, 0)
    return pck.size_of(threshold, pair.target_bbox, image_size)


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


def _geo_aware(
    answers: Sequence[_Answer], samples: Mapping[str, AnnotatedImage], groups: Groups, threshold: str
) -> dict[str, Any]:
    """Numbers of the geo-aware keypoints; pairs without any do not count."""
    within = [
        (answer, geo_aware(answer.pair.keypoint_ids, samples[answer.pair.target].visible, groups))
        for answer in answers
        if answer.pair.target in samples
    ]
    within = [(answer, chosen) for answer, chosen in within if chosen.any()]
    counts = {"pairs": len(within), "keypoints": int(sum(chosen.sum() for _, chosen in within))}
    outcomes = {
        alpha: [answer.correct(alpha)[chosen] for answer, chosen in within] for alpha in THRESHOLDS[threshold]
    }
    return {**counts, **_pck(outcomes)}


def _breakdown(
    answers: Sequence[_Answer], samples: Mapping[str, AnnotatedImage], threshold: str
) -> dict[str, dict[str, Any]]:
    """By property and level: counts and PCK. Levels without pairs are absent."""
    parts: dict[str, dict[str, list[_Answer]]] = {}
    for answer in answers:
        if len(answer.pair.keypoint_ids):
            for name, level in levels_of(answer.pair, samples).items():
                parts.setdefault(name, {}).setdefault(level, []).append(answer)
    alphas = THRESHOLDS[threshold]
    return {
        name: {
            level: {**_counts(part), **_pck({alpha: [a.correct(alpha) for a in part] for alpha in alphas})}
            for level in levels
            if (part := parts[name].get(level))
        }
        for name, levels in LEVELS.items()
        if name in parts
    }


def _seconds_per_image(names: set[str], journal: Journal, answers: Sequence[_Answer]) -> float | None:
    """Encoding, aligning and matching, divided by the number of images."""
    total = sum(journal.image_seconds.get(name, 0.0) for name in names)
    total += sum(answer.prediction.seconds for answer in answers)
    return round(total / len(names), 4) if names else None


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else value
