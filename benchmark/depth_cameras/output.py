"""Everything that is left of a run: numbers, tables and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmark.depth_cameras import calibration, report, sheet, tables
from benchmark.depth_cameras.chart import chart
from benchmark.depth_cameras.frames import Recording
from benchmark.depth_cameras.replies import BOXED, STREAM_BOXED, STREAM_WHOLE, WHOLE, Reply
from semcorr_ros.storage import atomic_path, write_image, write_json

SHEETS = {WHOLE: "whole", BOXED: "box", STREAM_WHOLE: "stream_whole", STREAM_BOXED: "stream_regions"}


def summary(replies: Sequence[Reply]) -> dict[str, Any]:
    """Collect all numbers but those of the single replies."""
    curves = calibration.curves(replies)
    return {
        "ways": report.ways(replies),
        "cameras": report.cameras(replies),
        "others": report.others(replies),
        "calibration": {variant: _curve(bins) for variant, bins in curves.items()},
        "refusals": dict(report.refusals(replies).most_common()),
    }


def text(replies: Sequence[Reply]) -> str:
    """Lay out the tables that a person reads first."""
    parts = [
        tables.ways_table(report.ways(replies)),
        tables.LEGEND,
        tables.cameras_table(report.cameras(replies)),
        tables.others_lines(report.others(replies)),
        tables.calibration_table(calibration.curves(replies)),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def write(
    work: Path, recordings: Sequence[Recording], replies: Sequence[Reply], more: dict[str, Any]
) -> None:
    """Leave results.json, table.md, calibration.png and a contact sheet per way of asking."""
    each = [asdict(one) for one in replies]
    write_json(work / "results.json", {**more, **summary(replies), "replies": each})
    with atomic_path(work / "table.md") as temporary:
        temporary.write_text(f"{text(replies)}\n{tables.replies_table(replies)}\n")
    write_image(work / "calibration.png", chart(calibration.curves(replies)))
    named = {recording.name: recording for recording in recordings}
    for where, label in SHEETS.items():
        for variant in dict.fromkeys(one.variant for one in replies):
            mine = [one for one in replies if (one.where, one.variant) == (where, variant)]
            if mine:
                path = work / f"{label}_{variant.replace(' ', '_')}.png"
                write_image(path, sheet.contact_sheet(named, mine))


def _curve(bins: Sequence[calibration.Bin]) -> dict[str, Any]:
    return {
        "bins": [{**asdict(one), "share": one.share} for one in bins],
        "expected_error": calibration.expected_error(bins),
        "overconfidence": calibration.overconfidence(bins),
    }
