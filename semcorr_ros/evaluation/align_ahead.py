"""Align the images of a benchmark in several processes, before the pairs are matched in one."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import torch

from semcorr_ros.evaluation.journal import Journal
from semcorr_ros.evaluation.views import FAILURES, Setup, Views, alignment_path

CHUNKS_PER_WORKER = 4  # a setup is made once per chunk; more chunks spread slow images better


def align_ahead(
    make_setup: Callable[[], Setup],
    names: Sequence[str],
    journal: Journal,
    workers: int,
    on_images: Callable[[int], object] = lambda count: None,
) -> None:
    """Put the alignments that are missing on disk, with the same result as without this step.

    make_setup: picklable; called in every process. An image that fails is left to `predict`, which
    names it.
    """
    folder = journal.path.parent / "alignments"
    missing = [name for name in names if not alignment_path(folder, name).is_file()]
    on_images(len(names) - len(missing))
    count = min(len(missing), workers * CHUNKS_PER_WORKER)
    chunks = [missing[i::count] for i in range(count)]
    # spawn: a forked process could neither use CUDA nor trust torch's threads.
    pool = ProcessPoolExecutor(max(1, min(workers, count)), multiprocessing.get_context("spawn"))
    try:
        futures = {pool.submit(_align, make_setup, chunk, folder): len(chunk) for chunk in chunks}
        for future in as_completed(futures):
            for name, seconds in future.result().items():
                journal.add_image(name, seconds)
            on_images(futures[future])
    finally:
        pool.shutdown(cancel_futures=True)


def _align(make_setup: Callable[[], Setup], names: Sequence[str], folder: Path) -> dict[str, float]:
    """Seconds by name of the images that could be aligned."""
    setup = make_setup()
    torch.set_num_threads(1)
    views = Views(setup, True, folder)
    for name in names:
        try:
            views.view(name)
        except FAILURES:
            continue
    return views.seconds
