"""Replies to a table and to numbers: what was answered, what was refused, and how far off the answers are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from statistics import mean, median
from typing import Any

from benchmark.rgbd.asking import BOXED, WHOLE, Reply

GOOD = 0.5  # PCK@0.1 below which an answer counts as wrong
SURE = 0.3  # confidence from which a wrong one is the worst fault there is


def table(replies: Sequence[Reply], variants: Sequence[str]) -> str:
    """Markdown: a line per place and kind of picture, then a line per reply."""
    lines = [
        "| | objects | answered | PCK@0.1, all | PCK@0.1, answered | wrong, answered | of these >= "
        f"{SURE:g} | rim centre mm | rim diameter mm | axis deg | handle deg |",
        "|" + "---|" * 11,
    ]
    for where in (WHOLE, BOXED):
        for variant in variants:
            mine = [r for r in replies if r.real and (r.where, r.variant) == (where, variant)]
            if mine:
                lines.append(f"| {where}, {variant} | " + " | ".join(_cells(summary(mine))) + " |")
    others = [
        f"- {said}"
        for where in (WHOLE, BOXED)
        for variant in variants
        if (said := _negatives(replies, where, variant))
    ]
    each = ["| frame | object | where | picture | code | confidence | PCK@0.1 | rim centre | diameter |"
            " axis | handle |",
            "|" + "---|" * 11, *map(_line, replies)]  # fmt: skip
    return "\n".join([*lines, "", *others, "", *each]) + "\n"


def summary(replies: Sequence[Reply]) -> dict[str, Any]:
    """Of real objects, looked for in one way. Medians of what is answered; None where nothing is."""
    told = [r for r in replies if r.answered]
    wrong = [r for r in told if _pck(r) < GOOD]
    return {
        "objects": len(replies),
        "answered": len(told),
        "pck": mean(_pck(r) for r in replies),
        "pck_answered": mean(_pck(r) for r in told) if told else None,
        "wrong": len(wrong),
        "wrong_and_sure": sum(r.confidence >= SURE for r in wrong),
        "rim_center_mm": _median(told, lambda e: e.rim_center_mm),
        "rim_diameter_mm": _median(told, lambda e: e.rim_diameter_mm and abs(e.rim_diameter_mm)),
        "axis_deg": _median(told, lambda e: e.axis_deg),
        "handle_deg": _median(told, lambda e: e.handle_deg),
    }


def refusals(replies: Sequence[Reply]) -> Counter[str]:
    """How often each sentence was said."""
    return Counter(f"{r.code}: {r.message}" for r in replies if not r.answered)


def _negatives(replies: Sequence[Reply], where: str, variant: str) -> str:
    mine = [r for r in replies if not r.real and (r.where, r.variant) == (where, variant)]
    if not mine:
        return ""
    told = [f"{r.thing} in {r.frame} ({r.confidence:.2f})" for r in mine if r.answered]
    largest = max(r.confidence for r in mine)
    end = f"; answered: {', '.join(told)}" if told else ""
    refused = f"{len(mine) - len(told)} of {len(mine)} refused, largest confidence {largest:.2f}"
    return f"no cup there, {where}, {variant}: {refused}{end}"


def _cells(found: dict[str, Any]) -> list[str]:
    shares = [_number(found[key], 2) for key in ("pck", "pck_answered")]
    counts = [str(found[key]) for key in ("wrong", "wrong_and_sure")]
    measured = ("rim_center_mm", "rim_diameter_mm", "axis_deg", "handle_deg")
    return [str(found["objects"]), str(found["answered"]), *shares, *counts,
            *(_number(found[key], 0) for key in measured)]  # fmt: skip


def _line(reply: Reply) -> str:
    e = reply.errors
    numbers = [_number(e and e.pck, 2), *(_number(e and value, 0) for value in (
        (e.rim_center_mm, e.rim_diameter_mm, e.axis_deg, e.handle_deg) if e else (None,) * 4))]  # fmt: skip
    cells = [reply.frame, reply.thing, reply.where, reply.variant, reply.code, f"{reply.confidence:.2f}"]
    return f"| {' | '.join([*cells, *numbers])} |"


def _pck(reply: Reply) -> float:
    return reply.errors.pck if reply.errors else 0.0


def _median(replies: Sequence[Reply], value: Callable[[Any], float | None]) -> float | None:
    values = [found for r in replies if r.errors and (found := value(r.errors)) is not None]
    return median(values) if values else None


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
