"""Pictures that do not show the class: of the other classes given, and of folders of anything.

A folder of --negatives holds pictures without annotations; a sub-folder names what its pictures show, and is
left out for a class of that name. Half of these pictures, by a hash of their names, are for --folds, which
thresholds are chosen by, and the other half for the numbers of test photographs.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmark.photographs.report import is_wrong
from benchmark.rendered.confidence import refused
from benchmark.rendered.measures import roc_auc
from semcorr_ros.artifacts import AnnotatedImage
from semcorr_ros.files.picture import read_image

SUFFIXES = (".jpg", ".jpeg", ".png")
THRESHOLDS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.5)
ALL = "all of these"


def pictures(folders: Sequence[Path], category: str, folds: bool) -> dict[str, list[Path]]:
    """Pictures by what they show, of one half. Raises FileNotFoundError for a folder without any."""
    found: dict[str, list[Path]] = {}
    for folder in folders:
        every = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
        if not every:
            raise FileNotFoundError(f"--negatives {folder}: no picture ({', '.join(SUFFIXES)}) in it")
        for path in every:
            label = path.parent.name if path.parent != folder else folder.resolve().name
            if label != category and first_half(path.stem) == folds:
                found.setdefault(label, []).append(path)
    return found


def first_half(name: str) -> bool:
    """Whether a picture is for --folds; the other half is for test photographs."""
    return zlib.crc32(name.encode()) % 2 == 0


def sample(path: Path, label: str) -> AnnotatedImage:
    """A picture that nobody annotated. Raises OSError or ValueError for one that cannot be read."""
    height, width = read_image(path).shape[:2]
    nothing = torch.zeros(0, 2), torch.zeros(0, dtype=torch.bool)
    box = (0.0, 0.0, float(width), float(height))
    return AnnotatedImage(f"{label}_{path.stem}", label, path, (height, width), *nothing, box)


def table(results: Sequence[dict[str, Any]]) -> str:
    """Markdown: share refused at each threshold, of right placements and of what is not the class.

    Every class that was built says it of every picture, so a picture counts once for each.
    """
    heads = ["class", "pictures of", "confidences", *(f"< {t}" for t in THRESHOLDS), "largest", "ROC area"]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for category in dict.fromkeys(result["category"] for result in results):
        mine = [result for result in results if result["category"] == category]
        photos = [photo for result in mine for photo in result["photos"]]
        right = [photo["confidence"] for photo in photos if not is_wrong(photo)]
        wrong = [photo["confidence"] for photo in photos if is_wrong(photo)]
        others: dict[str, list[float]] = {}
        for result in mine:
            for label, found in result["others"].items():
                others.setdefault(label, []).extend(found)
        lines.append(_line(category, "the class, placed right", right, ""))
        if wrong:
            lines.append(_line(category, "the class, placed wrong", wrong, _area(right, wrong)))
        lines += [_line(category, label, found, _area(right, found)) for label, found in others.items()]
        if len(others) > 1:
            every = [confidence for found in others.values() for confidence in found]
            lines.append(_line(category, ALL, every, _area(right, every)))
    return "\n".join(lines)


def _area(right: list[float], others: list[float]) -> str:
    return f"{roc_auc(right, others):.3f}"


def _line(category: str, label: str, confidences: list[float], area: str) -> str:
    if not confidences:
        return f"| {category} | {label} | 0 |" + " |" * (len(THRESHOLDS) + 2)
    shares = [f"{100 * refused(confidences, threshold):.0f} %" for threshold in THRESHOLDS]
    cells = [category, label, str(len(confidences)), *shares, f"{max(confidences):.2f}", area]
    return "| " + " | ".join(cells) + " |"
