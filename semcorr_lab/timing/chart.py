"""Curves of the time over what it depends on, as a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from semcorr_lab.timing.scaling import Curve
from semcorr_ros.storage import atomic_path

SIDE, EDGE, COLUMNS = 260, 60, 3
INK, BLUE, FAINT = (40, 40, 40), (31, 90, 180), (215, 215, 215)


def draw_curves(path: Path, curves: Sequence[Curve]) -> None:
    """Draw one panel per curve: milliseconds over the value, both logarithmic. PNG."""
    rows = math.ceil(len(curves) / COLUMNS)
    size = (COLUMNS * (SIDE + EDGE) + EDGE, rows * (SIDE + EDGE) + EDGE)
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for i, (name, points) in enumerate(curves):
        corner = (EDGE + (i % COLUMNS) * (SIDE + EDGE), EDGE + (i // COLUMNS) * (SIDE + EDGE))
        _panel(draw, corner, name, [(value, timing.median_ms) for value, timing in points])
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        sheet.save(temporary, format="PNG")


def _panel(
    draw: ImageDraw.ImageDraw, corner: tuple[int, int], name: str, points: list[tuple[int, float]]
) -> None:
    x, y = corner
    powers = [math.log10(ms) for _, ms in points]
    lowest = math.floor(min(powers))
    highest = max(math.ceil(max(powers)), lowest + 1)
    first, last = math.log(points[0][0]), math.log(points[-1][0])
    for power in range(lowest, highest + 1):
        level = y + SIDE * (highest - power) / (highest - lowest)
        draw.line((x, level, x + SIDE, level), fill=FAINT)
        draw.text((x - 8, level), f"{10**power:g} ms", fill=INK, anchor="rm")
    placed = []
    for value, ms in points:
        across = x + SIDE * (math.log(value) - first) / max(last - first, 1e-9)
        placed.append((across, y + SIDE * (highest - math.log10(ms)) / (highest - lowest)))
        draw.text((across, y + SIDE + 6), str(value), fill=INK, anchor="mt")
    draw.line(placed, fill=BLUE, width=3)
    for (across, level), (_, ms) in zip(placed, points, strict=True):
        draw.ellipse((across - 4, level - 4, across + 4, level + 4), fill=BLUE)
        draw.text((across, level - 8), f"{ms:.0f}", fill=BLUE, anchor="mb")
    draw.rectangle((x, y, x + SIDE, y + SIDE), outline=INK)
    draw.text((x + SIDE / 2, y - 10), name, fill=INK, anchor="mb")
