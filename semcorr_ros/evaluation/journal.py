"""Predictions on disk, one JSON line per finished pair or image: an interrupted run can resume."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.evaluation.kap import Detections
from semcorr_ros.storage import atomic_path


@dataclass(frozen=True)
class Prediction:
    """Prediction for one pair."""

    points: Float[Tensor, "keypoint 2"]  # pixels of the target; NaN = no answer
    seconds: float  # of matching; encoding and aligning are in `image_seconds`
    # By threshold (bbox, image) and alpha; empty: the matcher offers no similarity.
    kap: dict[str, dict[float, Detections]] = field(default_factory=dict)


@dataclass
class Journal:
    """Open file and its content. Pairs are numbered as in `Dataset.pairs`."""

    path: Path
    predictions: dict[int, Prediction] = field(default_factory=dict)
    image_seconds: dict[str, float] = field(default_factory=dict)

    def add_prediction(self, index: int, prediction: Prediction) -> None:
        """Store a pair's prediction and append it to the file."""
        self.predictions[index] = prediction
        self._append({"pair": index, **_to_json(prediction)})

    def add_image(self, name: str, seconds: float) -> None:
        """Store the seconds spent on an image, unless known."""
        if name not in self.image_seconds:
            self.image_seconds[name] = seconds
            self._append({"image": name, "seconds": seconds})

    def _append(self, line: dict[str, Any]) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")


def open_journal(path: Path) -> Journal:
    """Read an existing journal. A line cut off by an interruption is removed from the file."""
    journal = Journal(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = path.read_text().splitlines(keepends=True) if path.is_file() else []
    whole = [line for line in lines if _take(journal, line)]
    if len(whole) < len(lines):
        with atomic_path(path) as temporary:
            temporary.write_text("".join(whole))
    return journal


def _take(journal: Journal, line: str) -> bool:
    try:
        content = json.loads(line) if line.endswith("\n") else None
    except json.JSONDecodeError:
        return False
    if not isinstance(content, dict):
        return False
    if "image" in content:
        journal.image_seconds[content["image"]] = content["seconds"]
    else:
        journal.predictions[content["pair"]] = _from_json(content)
    return True


def _to_json(prediction: Prediction) -> dict[str, Any]:
    finite = torch.isfinite(prediction.points).all(-1).tolist()
    points = prediction.points.tolist()
    return {
        "points": [point if ok else None for point, ok in zip(points, finite, strict=True)],
        "seconds": prediction.seconds,
        "kap": {
            threshold: {str(alpha): [found.scores, found.positive] for alpha, found in by_alpha.items()}
            for threshold, by_alpha in prediction.kap.items()
        },
    }


def _from_json(content: dict[str, Any]) -> Prediction:
    unknown = [float("nan")] * 2
    points = [unknown if point is None else point for point in content["points"]]
    kap = {
        threshold: {float(alpha): Detections(tuple(s), tuple(p)) for alpha, (s, p) in by_alpha.items()}
        for threshold, by_alpha in content["kap"].items()
    }
    return Prediction(torch.tensor(points).reshape(-1, 2), content["seconds"], kap)
