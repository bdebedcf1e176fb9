"""Numbers to Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmark.depth_cameras.calibration import Bin
from benchmark.depth_cameras.replies import Reply
from benchmark.depth_cameras.report import GOOD, LARGE, MEASURES, SURE

COLUMNS = (
    "objects", "found", "refused", "wrong (elsewhere)", "PCK@0.1", "handle seen", f"sure >= {SURE:g}",
    f"found > {LARGE} px", "rim centre mm", "rim diameter mm", "axis deg", "handle deg", "s",
)  # fmt: skip
EACH = (
    "frame", "object", "where", "picture", "code", "confidence", "PCK@0.1", "rim centre", "diameter", "axis",
    "handle",
)  # fmt: skip
LEGEND = (
    f"Found: answered, PCK@0.1 of at least {GOOD:g}; elsewhere: centred outside of the object's box. PCK@0.1 "
    "is of all objects, and of those (how many) of which the handle is seen; refused ones count: what is not "
    "placed is 0, and so is all that a stream refuses, since it does not publish it. Millimetres and degrees "
    "are medians of the sure answers, the handle's of those of which it is seen. Seconds: inference; of a "
    "stream from the picture's stamp to its answer."
)


def ways_table(rows: Sequence[dict[str, Any]]) -> str:
    """Lay out a line per way of asking."""
    return _table(("", *COLUMNS), [[_way(row), *_cells(row)] for row in rows])


def cameras_table(rows: Sequence[dict[str, Any]]) -> str:
    """Lay out a line per camera and way of asking."""
    return _table(("camera", "", *COLUMNS), [[row["camera"], _way(row), *_cells(row)] for row in rows])


def calibration_table(curves: dict[str, list[Bin]]) -> str:
    """Lay out a line per bin: right ones of all, with and without depth."""
    lines = []
    for bins in zip(*curves.values(), strict=True):
        counts = [f"{one.right} of {one.count}" if one.count else "-" for one in bins]
        lines.append([f"{bins[0].low:.1f}-{bins[0].high:.1f}", *counts])
    return _table(("confidence", *(f"right, {variant}" for variant in curves)), lines)


def others_lines(rows: Sequence[dict[str, Any]]) -> str:
    """List what was said where there is no object."""
    said = []
    for row in rows:
        end = f"; answered: {', '.join(row['answered'])}" if row["answered"] else ""
        counts = f"{row['refused']} of {row['asked']} refused"
        largest = f"largest confidence {row['largest_confidence']:.2f}"
        said.append(f"- no object there, {_way(row)}: {counts}, {largest}{end}")
    return "\n".join(said)


def replies_table(replies: Sequence[Reply]) -> str:
    """Lay out a line per reply."""
    return _table(EACH, [_reply(one) for one in replies])


def _cells(row: dict[str, Any]) -> list[str]:
    wrong = f"{row['wrong']} ({row['elsewhere']})" if row["wrong"] else "0"
    seen = f"{number(row['pck_direction_seen'], 2)} ({row['direction_seen']})"
    return [
        str(row["objects"]), str(row["found"]), str(row["refused"]), wrong, number(row["pck"], 2),
        seen, f"{100 * row['sure']:.0f} %", f"{row['large_found']} of {row['large']}",
        *(number(row["medians_sure"][name], 0) for name in MEASURES), number(row["seconds"], 1),
    ]  # fmt: skip


def _reply(reply: Reply) -> list[str]:
    e = reply.errors
    words = [reply.frame, reply.thing, reply.where, reply.variant, reply.code, f"{reply.confidence:.2f}"]
    if e is None:
        return [*words, *"-----"]
    off = (e.rim_center_mm, e.rim_diameter_mm, e.axis_deg, e.handle_deg)
    return [*words, number(e.pck, 2), *(number(value, 0) for value in off)]


def _way(row: dict[str, Any]) -> str:
    return f"{row['where']}, {row['variant']}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float | None, digits: int) -> str:
    """Write a number; None is a dash."""
    return "-" if value is None else f"{value:.{digits}f}"
