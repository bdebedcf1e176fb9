"""Replies to numbers: what was found, refused and wrong, and how far off the sure answers are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from statistics import mean, median
from typing import Any

from benchmark.depth_cameras.measures import Errors
from benchmark.depth_cameras.replies import WAYS, Reply

GOOD = 0.5  # PCK@0.1 below which an answer counts as wrong
SURE = 0.3  # confidence from which an answer is one to act on
LARGE = 60  # pixels; longer side of an object that should be found in the whole picture

MEASURES: dict[str, Callable[[Reply, Errors], float | None]] = {
    "rim_center_mm": lambda r, e: e.rim_center_mm,
    "rim_diameter_mm": lambda r, e: None if e.rim_diameter_mm is None else abs(e.rim_diameter_mm),
    "axis_deg": lambda r, e: e.axis_deg,
    # Where the picture does not show it, nobody can know.
    "handle_deg": lambda r, e: e.handle_deg if r.direction_seen else None,
}


def ways(replies: Sequence[Reply]) -> list[dict[str, Any]]:
    """Summarise every way of asking, about real objects."""
    return [
        {"where": where, "variant": variant} | summary(mine)
        for where in WAYS
        for variant in dict.fromkeys(r.variant for r in replies)
        if (mine := [r for r in replies if r.real and (r.where, r.variant) == (where, variant)])
    ]


def cameras(replies: Sequence[Reply]) -> list[dict[str, Any]]:
    """Summarise every way of asking, camera by camera."""
    return [
        {"camera": camera} | row
        for camera in sorted({r.camera for r in replies})
        for row in ways([r for r in replies if r.camera == camera])
    ]


def summary(replies: Sequence[Reply]) -> dict[str, Any]:
    """Summarise real objects that were looked for in one way; None where there is nothing to say."""
    told = [r for r in replies if r.answered]
    sure = [r for r in told if r.confidence >= SURE]
    return {
        **_counts(replies, told),
        "pck": _mean(r.pck for r in replies),
        "pck_direction_seen": _mean(r.pck for r in replies if r.direction_seen),
        "pck_answered": _mean(r.pck for r in told),
        "sure": len(sure) / len(replies),
        "medians_sure": _medians(sure),
        "medians_answered": _medians(told),
        "seconds": _median(r.seconds for r in replies if r.seconds > 0),  # 0: nobody said how long
    }


def others(replies: Sequence[Reply]) -> list[dict[str, Any]]:
    """Summarise what was said where there is no object."""
    rows = []
    for where in WAYS:
        for variant in dict.fromkeys(r.variant for r in replies):
            mine = [r for r in replies if not r.real and (r.where, r.variant) == (where, variant)]
            if mine:
                told = [f"{r.thing} in {r.frame} ({r.confidence:.2f})" for r in mine if r.answered]
                counts = {"asked": len(mine), "refused": len(mine) - len(told), "answered": told}
                largest = max(r.confidence for r in mine)
                rows.append({"where": where, "variant": variant, **counts, "largest_confidence": largest})
    return rows


def refusals(replies: Sequence[Reply]) -> Counter[str]:
    """Count how often each sentence was said."""
    return Counter(f"{r.code}: {r.message}" for r in replies if not r.answered)


def _counts(replies: Sequence[Reply], told: Sequence[Reply]) -> dict[str, int]:
    wrong = [r for r in told if r.pck < GOOD]
    large = [r for r in replies if r.extent > LARGE]
    return {
        "objects": len(replies),
        "found": len(told) - len(wrong),
        "refused": len(replies) - len(told),
        "wrong": len(wrong),
        "elsewhere": sum(r.elsewhere for r in wrong),
        "wrong_and_sure": sum(r.confidence >= SURE for r in wrong),
        "direction_seen": sum(r.direction_seen for r in replies),
        "large": len(large),
        "large_found": sum(r.answered and r.pck >= GOOD for r in large),
    }


def _medians(replies: Sequence[Reply]) -> dict[str, float | None]:
    measured = [(r, r.errors) for r in replies if r.errors]
    return {
        name: _median(value for r, e in measured if (value := of(r, e)) is not None)
        for name, of in MEASURES.items()
    }


def _mean(values: Iterable[float]) -> float | None:
    known = list(values)
    return mean(known) if known else None


def _median(values: Iterable[float]) -> float | None:
    known = list(values)
    return median(known) if known else None
