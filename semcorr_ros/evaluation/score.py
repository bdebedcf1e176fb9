"""Predictions to numbers: instant, so that a table can be made again without running anything."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from semcorr_ros.artifacts import ImagePair
from semcorr_ros.evaluation import ALPHAS, pck
from semcorr_ros.evaluation.journal import Journal
from semcorr_ros.evaluation.kap import average_precision


def score(pairs: Mapping[int, ImagePair], journal: Journal) -> dict[str, Any]:
    """PCK per image and per keypoint, PCK-dagger, KAP and the cost of the pairs that have a prediction.

    JSON-ready; a number that is not defined is None. "kap" is absent where the matcher offers no
    similarity map.
    """
    done = [
        (pair, journal.predictions[index]) for index, pair in pairs.items() if index in journal.predictions
    ]
    numbers: dict[str, Any] = {"pck": {"per_image": {}, "per_keypoint": {}}, "pck_dagger": {}, "kap": {}}
    for alpha in ALPHAS:
        answers = [
            (p.points, pair.target_keypoints, alpha * pck.box_size(pair.target_bbox)) for pair, p in done
        ]
        outcomes = [pck.correct(*answer) for answer in answers]
        numbers["pck"]["per_image"][str(alpha)] = _defined(pck.per_image(outcomes))
        numbers["pck"]["per_keypoint"][str(alpha)] = _defined(pck.per_keypoint(outcomes))
        dagger = [pck.correct_dagger(*answer) for answer in answers]
        numbers["pck_dagger"][str(alpha)] = _defined(pck.per_image(dagger))
        found = [p.kap[alpha] for _, p in done if alpha in p.kap]
        if len(found) == len(done) > 0:
            numbers["kap"][str(alpha)] = _defined(average_precision(found))
    if not numbers["kap"]:
        del numbers["kap"]
    counts = {"pairs": len(done), "keypoints": sum(len(pair.keypoint_ids) for pair, _ in done)}
    names = {name for pair, _ in done for name in (pair.source, pair.target)}
    return {**counts, **numbers, "seconds_per_image": _seconds_per_image(names, journal, done)}


def _seconds_per_image(names: set[str], journal: Journal, done: list[Any]) -> float | None:
    """Encoding, aligning and matching, divided by the number of images."""
    total = sum(journal.image_seconds.get(name, 0.0) for name in names) + sum(p.seconds for _, p in done)
    return round(total / len(names), 4) if names else None


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else value
