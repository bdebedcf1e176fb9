"""Benchmark pairs to predictions on disk."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from semcorr_ros.artifacts import ImagePair
from semcorr_ros.evaluation import THRESHOLDS, adaptive_flip, kap
from semcorr_ros.evaluation.journal import Journal, Prediction
from semcorr_ros.evaluation.pck import size_of
from semcorr_ros.evaluation.views import FAILURES, Setup, Views
from semcorr_ros.methods import Placed

# Predictions of other code are not resumed: all code is part of their key but what shows, scores and starts.
# An exclusion list, so that a new file counts by default.
APART = ("cli", "diagnosis", "ros", "visualization", "workers")
SCORING = ("align_ahead", "breakdown", "geo_aware", "runs", "score", "tables")
SUFFIXES = (".py", ".cpp", ".hpp", ".h")


def choose(count: int, max_pairs: int | None, seed: int) -> list[int]:
    """Choose the pairs to evaluate, by index: all, or a random subset without repetition, in order."""
    if max_pairs is None or max_pairs >= count:
        return list(range(count))
    return sorted(np.random.default_rng(seed).choice(count, max_pairs, replace=False).tolist())


def predict(
    pairs: dict[int, ImagePair],
    setup: Setup,
    journal: Journal,
    on_pair: Callable[[], None] = lambda: None,
    kap_grid: str = "features",
) -> dict[int, str]:
    """Predict the pairs that the journal lacks; return the reasons of those that failed.

    Failures are not stored: a later run tries them again. kap_grid: see `kap.cells`.
    """
    views = Views(setup, journal.path.parent / "alignments")
    failed = {}
    for index, pair in pairs.items():
        if index not in journal.predictions:
            try:
                journal.add_prediction(index, _predict_pair(pair, setup, views, kap_grid))
            except FAILURES as error:
                failed[index] = str(error)
            for name in (pair.source, pair.target):
                if name in views.seconds:
                    journal.add_image(name, views.seconds[name])
        on_pair()
    return failed


def key(pairs: Sequence[ImagePair], what: dict[str, Any]) -> str:
    """Hash a run: equal only for equal pairs, equal settings and equal code."""
    digest = hashlib.sha256()
    for pair in pairs:
        digest.update(f"{pair.source} {pair.target} {pair.source_keypoints.tolist()}".encode())
    for name in sorted(what):
        digest.update(f"{name}={what[name]}\n".encode())
    for path in code():
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def code(root: Path = Path(__file__).parents[1]) -> list[Path]:
    """List the source files that a prediction may depend on, sorted."""
    scoring = {root / "evaluation" / f"{name}.py" for name in SCORING}
    files = (path for path in root.rglob("*") if path.suffix in SUFFIXES and path not in scoring)
    return sorted(path for path in files if path.relative_to(root).parts[0] not in APART)


def _predict_pair(pair: ImagePair, setup: Setup, views: Views, kap_grid: str) -> Prediction:
    source, target = views.pair(pair.source, pair.target)
    started = time.perf_counter()
    points = pair.source_keypoints.to(source.seen.features.values.device)
    with torch.no_grad():
        answer = source.carry(points, target).points
        if setup.flip is not None and setup.whole_image:
            answer = adaptive_flip.improve(answer, pair, views)
    seconds = time.perf_counter() - started
    kap_found = _detections(pair, setup, (source, target), kap_grid)
    return Prediction(answer.float().cpu(), seconds, kap=kap_found)


def _detections(
    pair: ImagePair, setup: Setup, views: tuple[Placed, Placed], kap_grid: str
) -> dict[str, dict[float, kap.Detections]]:
    """Collect the detections for KAP at every threshold, so that scoring does not need the features.

    KAP evaluates every keypoint of the source, whether or not the target shows it.
    """
    source, target = setup.samples[pair.source], setup.samples[pair.target]
    ids = source.visible.nonzero()[:, 0]
    points = source.keypoints[ids].to(views[0].seen.features.values.device)
    with torch.no_grad():
        similarity = views[0].similarity(points, views[1]).cpu()
    shown = kap.cells(similarity, views[1].seen.features, target.keypoints[ids], kap_grid)
    found = {}
    for threshold, alphas in THRESHOLDS.items():
        size = size_of(threshold, pair.target_bbox, target.size)
        found[threshold] = {a: kap.detections(shown, target.visible[ids], a * size) for a in alphas}
    return found
