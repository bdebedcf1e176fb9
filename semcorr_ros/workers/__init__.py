"""Independent jobs, several at a time: one engine per file, and all give the same results.

A file says `PLUGIN = Engine(default_workers, run)`. A job must be picklable, and so must its result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from semcorr_ros.registry import Registry

FAILURES = (ValueError, OSError, ImportError, torch.linalg.LinAlgError)  # of one job; the rest are bugs
DIED = "its process died (out of memory?); try fewer --workers"

Job = Callable[[], Any]


@dataclass(frozen=True)
class Failed:
    """Outcome of a job that failed."""

    reason: str


@dataclass(frozen=True)
class Crew:
    """Workers: how many, where, and with which resources."""

    engine: str = "local"  # one of ENGINES.names()
    workers: int | None = None  # jobs at a time, on all machines together; None: the engine's default
    threads: int = 1  # CPU threads of a job: the cores that a cluster keeps for it
    gpu: bool = False  # a job may use one, where there are any
    folder: Path | None = None  # of the results; must be the same folder on all machines

    @property
    def alone(self) -> bool:
        """Whether the jobs run one by one on this machine."""
        return (self.engine, self.workers) == ("local", 1)

    def run(self, jobs: Mapping[str, Job]) -> Iterator[tuple[str, Any]]:
        """Yield (name, result or `Failed`) as the jobs end; closing the iterator drops what has not begun.

        Raises ValueError for what the engine or cluster cannot do, ImportError for a missing package.
        """
        return ENGINES.load(self.engine).run(jobs, self.sized()) if jobs else iter(())

    def sized(self) -> Crew:
        """Fill in the number of workers. Raises as `run`."""
        engine = ENGINES.load(self.engine)
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"--workers must be at least 1, got {self.workers}")
        if self.workers is not None:
            return self
        return replace(self, workers=engine.default_workers())


def attempt(job: Job) -> Any:
    """Run a job; return its result, or `Failed` with the reason."""
    try:
        return job()
    except FAILURES as error:
        return Failed(str(error))


@dataclass(frozen=True)
class Engine:
    """What a file of this folder calls PLUGIN."""

    default_workers: Callable[[], int]
    run: Callable[[Mapping[str, Job], Crew], Iterator[tuple[str, Any]]]  # (name, outcome) as the jobs end


ENGINES = Registry(__name__, Engine)
