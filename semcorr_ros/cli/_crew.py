"""From options to who does jobs that do not depend on each other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from semcorr_ros.cli._options.sources import WorkerOptions
from semcorr_ros.provider_options import ComputeOptions
from semcorr_ros.workers import Crew


def crew_from(
    options: WorkerOptions, compute: ComputeOptions, folder: Path | None = None, threads: int = 0
) -> Crew:
    """Make a crew that writes to `folder`, with `threads` per worker: --threads, else one.

    One by default, because floating-point sums depend on how they are split: neither the number of workers
    nor the machine may change a result. Only a single worker takes all cores. Raises ValueError, or
    ImportError naming the extra that is missing.
    """
    crew = Crew(options.engine, options.workers, gpu=compute.device != "cpu", folder=folder).sized()
    own = torch.get_num_threads() if crew.alone else 1
    return replace(crew, threads=threads or compute.threads or own)
