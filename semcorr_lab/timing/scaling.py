"""What the time of an alignment depends on: one thing varied at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from semcorr_lab.timing.clock import Timing, measure
from semcorr_lab.timing.stages import Subject, align, search_sizes
from semcorr_lab.timing.subject import with_points
from semcorr_ros.methods.semalign3d.alignment.presets import preset

Curve = tuple[str, list[tuple[int, Timing]]]

STARTS, POINTS, SAMPLES = (4, 8, 16, 32, 64), (250, 500, 1000, 2000), (64, 128, 256, 512)
STEPS, SIDES, CLASSES = (125, 250, 500, 1000), (320, 640, 1280, 2560), (1, 2, 4, 8)


def curves(subject: Subject, runs: int) -> Iterator[Curve]:
    """Yield (what is varied, [(value, time of aligning one picture, all classes together)])."""
    model, seen = subject.model, subject.seen[0]
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
