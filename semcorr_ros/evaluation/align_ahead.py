"""Align the images of a benchmark in several processes, before the pairs are matched in one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch

from semcorr_ros.evaluation.journal import Journal
from semcorr_ros.evaluation.views import FAILURES, Setup, Views, placement_path
from semcorr_ros.workers import Crew, Failed

CHUNKS_PER_WORKER = 4  # a setup is made once per chunk; more chunks spread slow images better


def align_ahead(
    make_setup: Callable[[], Setup],
    names: Sequence[str],
    journal: Journal,
    crew: Crew,
    on_images: Callable[[int], object] = lambda count: None,
) -> None:
    """Compute the missing alignments and store them, with the same result as without this step.

    make_setup: picklable; called in every process. An image that fails is left to `predict`, which names it.
    Raises ValueError when a process cannot do anything.
    """
    folder = journal.path.parent / "alignments"
    missing = [name for name in names if not placement_path(folder, name).is_file()]
    on_images(len(names) - len(missing))
    count = min(len(missing), (crew.sized().workers or 1) * CHUNKS_PER_WORKER)
    chunks = {str(i): missing[i::count] for i in range(count)}
    jobs = {i: partial(_align, make_setup, chunk, folder) for i, chunk in chunks.items()}
    for i, outcome in crew.run(jobs):
        if isinstance(outcome, Failed):
            raise ValueError(outcome.reason)
        for name, seconds in outcome.items():
            journal.add_image(name, seconds)
        on_images(len(chunks[i]))


def _align(make_setup: Callable[[], Setup], names: Sequence[str], folder: Path) -> dict[str, float]:
    """Align images; return the seconds, by name, of those that could be aligned."""
    setup = make_setup()
    torch.set_num_threads(1)
    views = Views(setup, folder)
    for name in names:
        try:
            views.view(name)
        except FAILURES:
            continue
    return views.seconds
