"""Processes of this machine."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from semcorr_ros.workers import DIED, Crew, Engine, Failed, Job, attempt


def default_workers() -> int:
    """Return 1: a job may fill the machine."""
    return 1


def run(jobs: Mapping[str, Job], crew: Crew) -> Iterator[tuple[str, Any]]:
    """Run each job in a reused process; when one dies, all unfinished jobs fail."""
    # spawn: a forked process could neither use CUDA nor trust torch's threads.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(max(1, min(crew.workers or default_workers(), len(jobs))), context)
    try:
        names = {pool.submit(attempt, job): name for name, job in jobs.items()}
        for future in as_completed(names):
            try:
                yield names[future], future.result()
            except BrokenProcessPool:
                yield names[future], Failed(DIED)
    finally:
        pool.shutdown(cancel_futures=True)


PLUGIN = Engine(default_workers, run)
