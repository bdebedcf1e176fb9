"""Rows to tables, and the picture of how well the confidence is calibrated."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from semcorr_ros.storage import atomic_path

Row = dict[str, Any]
TURNED = 25  # degrees from which a pose counts as turned the wrong way
_SIDE, _EDGE = 360, 50  # pixels of one plot
_INK, _FAINT, _BLUE, _RED = (30, 30, 30), (200, 200, 200), (38, 110, 190), (200, 70, 50)


def categories_table(rows: Sequence[Row], setting: str) -> str:
    """PCK@0.1 per category and method of one feature setting, in percent per image, with the macro mean."""
    rows = [row for row in rows if row["setting"] == setting]
    categories = sorted({row["category"] for row in rows})
    lines = [_line(["method", "images", *categories, "mean", "@0.05", "@0.01", "rot. deg", "3D mm"])]
    lines.append(_line(["---"] * (len(categories) + 7)))
    for method in dict.fromkeys(row["method"] for row in rows):
        mine = {row["category"]: row for row in rows if row["method"] == method}
        cells = [_percent(_pck(mine.get(name), "0.1")) for name in categories]
        means = [_percent(macro(list(mine.values()), alpha)) for alpha in ("0.1", "0.05", "0.01")]
        images = str(max(row["images"] for row in mine.values()))
        lines.append(
            _line(
                [method, images, *cells, *means, _median(mine, "rotation_deg"), _median(mine, "position_mm")]
            )
        )
    return "\n".join(lines)


def images_table(rows: Sequence[Row], setting: str, method: str = "aligned") -> str:
    """By category: images, those turned by more than TURNED degrees, median errors; empty without any."""
    mine = [row for row in rows if (row["setting"], row["method"]) == (setting, method)]
    lines = [_line([method, "images", f"turned > {TURNED} deg", "rot. deg", "3D mm"]), _line(["---"] * 5)]
    for row in mine:
        images, alone = row["per_image"], {row["category"]: row}
        turned = str(sum(image["rotation_deg"] > TURNED for image in images))
        numbers = [_median(alone, "rotation_deg"), _median(alone, "position_mm")]
        lines.append(_line([row["category"], str(len(images)), turned, *numbers]))
    return "\n".join(lines) if mine else ""


def macro(rows: Sequence[Row], alpha: str) -> float | None:
    """Unweighted mean over categories; None if one has no number."""
    values = [_pck(row, alpha) for row in rows]
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def draw_confidence(path: Path, summaries: dict[str, dict[str, Any]]) -> None:
    """ROC (left) and calibration (right) per feature setting, one row each. PNG."""
    sheet = Image.new("RGB", (2 * (_SIDE + _EDGE) + _EDGE, len(summaries) * (_SIDE + 2 * _EDGE)), "white")
    draw = ImageDraw.Draw(sheet)
    for k, (setting, numbers) in enumerate(summaries.items()):
        top = k * (_SIDE + 2 * _EDGE) + _EDGE
        left = _axes(
            draw,
            (_EDGE, top),
            f"{setting}: ROC, area {numbers['good : both']:.3f}",
            "bad accepted",
            "good accepted",
        )
        draw.line([_at(left, point) for point in numbers["roc"]], fill=_BLUE, width=3)
        right = _axes(draw, (2 * _EDGE + _SIDE, top), "calibration", "confidence", "share of good alignments")
        bars = numbers["calibration"]
        draw.line([_at(right, (c, share)) for c, share, _ in bars], fill=_RED, width=3)
        for c, share, count in bars:
            x, y = _at(right, (c, share))
            draw.ellipse((x - 5, y - 5, x + 5, y + 5), fill=_RED)
            draw.text((x + 8, y + 4), str(count), fill=_INK)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        sheet.save(temporary, format="PNG")


def _axes(
    draw: ImageDraw.ImageDraw, corner: tuple[int, int], title: str, across: str, up: str
) -> tuple[int, int]:
    x, y = corner
    draw.rectangle((x, y, x + _SIDE, y + _SIDE), outline=_INK)
    draw.line((x, y + _SIDE, x + _SIDE, y), fill=_FAINT)
    draw.text((x, y - 18), f"{title}  (up: {up})", fill=_INK)
    draw.text((x + _SIDE // 2 - 40, y + _SIDE + 6), across, fill=_INK)
    return corner


def _at(corner: tuple[int, int], point: tuple[float, float]) -> tuple[float, float]:
    return corner[0] + _SIDE * point[0], corner[1] + _SIDE * (1 - point[1])


def _pck(row: Row | None, alpha: str) -> float | None:
    return None if row is None else row["pck"]["per_image"][alpha]


def _median(rows: dict[str, Row], what: str) -> str:
    """Median over all images of all categories together."""
    values = [e[what] for row in rows.values() for e in row.get("per_image", []) if e[what] == e[what]]
    return f"{statistics.median(values):.1f}" if values else "-"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
