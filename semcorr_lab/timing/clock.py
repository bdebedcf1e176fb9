"""Run something often enough to say how long it takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class Timing:
    """Milliseconds of repeated runs."""

    median_ms: float
    p99_ms: float
    runs: int

    def json(self) -> dict[str, float]:
        """Return the numbers for reports."""
        return asdict(self)


def measure(work: Callable[[int], object], runs: int, device: str = "cpu") -> Timing:
    """Time work(0), work(1), ... one by one, after one run that does not count."""
    work(0)
    _wait(device)
    took = []
    for run in range(runs):
        begun = time.perf_counter()
        work(run)
        _wait(device)
        took.append(1e3 * (time.perf_counter() - begun))
    return Timing(float(np.median(took)), float(np.percentile(took, 99)), runs)


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
