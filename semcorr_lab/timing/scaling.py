"""Measure what the time of an alignment depends on, one thing varied at a time, and draw the curves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image, ImageDraw

from semcorr_lab.timing.clock import Timing, measure
from semcorr_lab.timing.stages import Subject, align, search_sizes
from semcorr_lab.timing.subject import with_points
from semcorr_ros.methods.semalign3d.alignment.presets import preset
from semcorr_ros.storage import atomic_path

Curve = tuple[str, list[tuple[int, Timing]]]

STARTS, POINTS, SAMPLES = (4, 8, 16, 32, 64), (250, 500, 1000, 2000), (64, 128, 256, 512)
STEPS, SIDES, CLASSES = (125, 250, 500, 1000), (320, 640, 1280, 2560), (1, 2, 4, 8)
SIDE, EDGE, COLUMNS = 260, 60, 3
INK, BLUE, FAINT = (40, 40, 40), (31, 90, 180), (215, 215, 215)


def curves(subject: Subject, runs: int) -> Iterator[Curve]:
    """Yield (what is varied, [(value, time of aligning one picture, all classes together)])."""
    model, seen = subject.model, subject.observations[0]
    ours = preset("fast")
    steps = ours.optimize.steps
    batch = {n: replace(ours, optimize=replace(ours.optimize, batch=n)) for n in SAMPLES}

    def over(values: tuple[int, ...], work: Callable[[int], object]) -> list[tuple[int, Timing]]:
        return [(value, measure(lambda _, value=value: work(value), runs)) for value in values]  # type: ignore[misc]

    yield "starts", over(STARTS, lambda n: align(model, seen, search_sizes(steps, n)))
    yield "steps", over(STEPS, lambda n: align(model, seen, search_sizes(n, 16)))
    models = {n: with_points(model, n) for n in POINTS}
    yield "points", over(POINTS, lambda n: align(models[n], seen, ours))
    yield "samples", over(SAMPLES, lambda n: align(model, seen, batch[n]))
    resized = {n: subject.frames[0].resized(n).observe(subject.extractor) for n in SIDES}
    yield "image side", over(SIDES, lambda n: align(model, resized[n], ours))
    yield "classes", over(CLASSES, lambda n: [align(model, seen, ours) for _ in range(n)])


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
