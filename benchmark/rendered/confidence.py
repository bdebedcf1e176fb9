"""How well the confidence tells good alignments from bad ones, and from what is not of the class at all.

Few alignments go wrong where mask, depth and camera are given: too few to say anything about. So the rows
that a robot meets are counted together, too: given masks, masks by attention, no depth sensor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmark.rendered.measures import GOOD, calibration, roc_auc

ATTENTION = "masks by attention"  # how the node finds an object without a detector
ROWS = ("aligned", ATTENTION, "without depth sensor")
TOGETHER = "together"
_COLUMNS = ("good", "bad", "other class", "good : bad", "good : other", "good : both")
_REFUSED = ("good refused", "bad refused", "other refused")


@dataclass(frozen=True)
class Confidences:
    """Of good and bad alignments of the right class, and of the class in pictures of other categories."""

    good: tuple[float, ...]
    bad: tuple[float, ...]
    other: tuple[float, ...]


def collect(
    rows: Sequence[dict[str, Any]], others: dict[str, list[float]], setting: str
) -> dict[str, Confidences]:
    """Confidences of one feature setting by row, and of all rows together; `others` is by row."""
    found = {}
    for name in ROWS:
        images = [
            image
            for row in rows
            if (row["setting"], row["method"]) == (setting, name)
            for image in row["per_image"]
        ]
        good = tuple(image["confidence"] for image in images if image["pck"] >= GOOD)
        bad = tuple(image["confidence"] for image in images if image["pck"] < GOOD)
        if images or others.get(name):
            found[name] = Confidences(good, bad, tuple(others.get(name, ())))
    if len(found) > 1:
        parts = found.values()
        found[TOGETHER] = Confidences(
            sum((part.good for part in parts), ()),
            sum((part.bad for part in parts), ()),
            sum((part.other for part in parts), ()),
        )
    return found


def summary(found: Confidences, least: float) -> dict[str, Any]:
    """Counts, areas under the ROC curve, shares refused below `least`, and both curves. JSON-ready."""
    good, bad, other = list(found.good), list(found.bad), list(found.other)
    rest = bad + other
    return {
        "good": len(good),
        "bad": len(bad),
        "other class": len(other),
        "good : bad": roc_auc(good, bad),
        "good : other": roc_auc(good, other),
        "good : both": roc_auc(good, rest),
        "min_score": least,
        "good refused": refused(good, least),
        "bad refused": refused(bad, least),
        "other refused": refused(other, least),
        "calibration": calibration(good + rest, [True] * len(good) + [False] * len(rest)),
        "roc": roc_curve(good, rest),
    }


def refused(confidences: Sequence[float], least: float) -> float:
    """Share below `least`; NaN of none."""
    return sum(c < least for c in confidences) / len(confidences) if confidences else float("nan")


def roc_curve(positive: list[float], negative: list[float]) -> list[tuple[float, float]]:
    """(false positive rate, true positive rate) at every threshold, from strict to lax."""
    points = [(0.0, 0.0)]
    for threshold in sorted({*positive, *negative}, reverse=True):
        false = sum(c >= threshold for c in negative) / max(1, len(negative))
        true = sum(c >= threshold for c in positive) / max(1, len(positive))
        points.append((false, true))
    return points


def table(summaries: dict[str, dict[str, dict[str, Any]]]) -> str:
    """Markdown: counts, areas and shares refused at the default min_score, by feature setting and row."""
    lines = ["| features | row | " + " | ".join((*_COLUMNS, "min_score", *_REFUSED)) + " |"]
    lines.append("|" + "---|" * (len(_COLUMNS) + len(_REFUSED) + 3))
    for setting, rows in summaries.items():
        for name, numbers in rows.items():
            cells = [_cell(numbers[key]) for key in (*_COLUMNS, "min_score")]
            cells += [_percent(numbers[key]) for key in _REFUSED]
            lines.append(f"| {setting} | {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def empty_line(confidences: Sequence[float], thresholds: Sequence[float]) -> str:
    """How many pictures without the object are refused at each threshold; empty without any."""
    if not confidences:
        return ""
    counts = ", ".join(f"{sum(c < t for c in confidences)} refused at {t}" for t in thresholds)
    highest = ", ".join(f"{c:.2f}" for c in sorted(confidences)[-5:])
    return f"{len(confidences)} pictures without the object, no mask: {counts}; the five highest {highest}"


def _cell(value: float | int) -> str:
    if isinstance(value, int):
        return str(value)
    return "-" if value != value else f"{value:.3f}"


def _percent(value: float) -> str:
    return "-" if value != value else f"{100 * value:.0f} %"
