"""Folders of predictions with a description, so that they can be scored again without the model.

<work>/<category>_<method>_<key>/ holds run.json, predictions.jsonl and alignments/.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from semcorr_ros.artifacts import ImagePair
from semcorr_ros.storage import read_json, write_json

DESCRIPTION, PREDICTIONS = "run.json", "predictions.jsonl"


@dataclass(frozen=True)
class Run:
    """Description of a folder of predictions."""

    category: str
    method: str
    split: str
    pairs: str  # digest of all pairs of the split: predictions are numbered


def digest(pairs: Sequence[ImagePair]) -> str:
    """Hash the pairs: equal only for the same ones, with the same keypoints, in the same order."""
    found = hashlib.sha256()
    for pair in pairs:
        found.update(f"{pair.source} {pair.target} {pair.source_keypoints.tolist()}".encode())
    return found.hexdigest()[:16]


def describe(folder: Path, run: Run) -> None:
    """Write the description of a folder, unless it has one."""
    if not (folder / DESCRIPTION).is_file():
        write_json(folder / DESCRIPTION, asdict(run))


def find(work: Path, split: str) -> dict[tuple[str, str], tuple[Path, Run]]:
    """Find the folders of a split by category and method; of several, the last one written to.

    Raises FileNotFoundError where there is none, ValueError for a damaged description.
    """
    found: dict[tuple[str, str], tuple[Path, Run]] = {}
    for path in sorted(work.glob(f"*/{DESCRIPTION}"), key=_last_written):
        content = read_json(path)
        try:
            run = Run(**content)
        except TypeError as error:
            raise ValueError(f"{path} does not describe a folder of predictions: {error}") from error
        if run.split == split:
            found[run.category, run.method] = (path.parent, run)
    if not found:
        raise FileNotFoundError(
            f"no predictions of split {split!r} in {work}: expected <category>_<method>_<key>/{DESCRIPTION},"
            " as `evaluate --work` writes them"
        )
    return found


def check(folder: Path, run: Run, pairs: Sequence[ImagePair]) -> None:
    """Check that the predictions are of these pairs. Raises ValueError."""
    if run.pairs != digest(pairs):
        raise ValueError(
            f"{folder} holds predictions of other pairs of {run.category!r} than --root has now;"
            " give the data set they were made on, or predict again"
        )


def _last_written(description: Path) -> float:
    predictions = description.with_name(PREDICTIONS)
    return predictions.stat().st_mtime if predictions.is_file() else 0.0
