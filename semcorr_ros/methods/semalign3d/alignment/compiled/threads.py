"""Hypotheses shared out among as many threads as torch may use; kernels run without the interpreter lock."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch


def share_out(work: Callable[[slice], None], count: int) -> None:
    """Call `work` with slices that cover range(count), in parallel; its first exception is raised."""
    threads = min(torch.get_num_threads(), count)
    if threads < 2:
        work(slice(0, count))
        return
    bounds = np.linspace(0, count, threads + 1).round().astype(int)
    jobs = [_pool(threads).submit(work, slice(low, high)) for low, high in itertools.pairwise(bounds)]
    for job in jobs:
        job.result()


@functools.lru_cache(maxsize=4)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="align")
