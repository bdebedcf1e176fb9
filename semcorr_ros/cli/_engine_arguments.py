"""Arguments that choose who does jobs that do not depend on each other."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from semcorr_ros.workers import ENGINES, Crew


def add_engine_arguments(parser: argparse.ArgumentParser, job: str) -> None:
    """--engine and --workers. job: what is done by one worker at a time."""
    group = parser.add_argument_group("workers")
    group.add_argument(
        "--engine",
        default="local",
        choices=ENGINES.names(),
        help="processes of this machine (default), or of a Ray cluster (RAY_ADDRESS) whose machines share"
        " the folders",
    )
    group.add_argument(
        "--workers", type=int, metavar="N", help=f"{job} at a time (default: 1; with ray, all cores)"
    )


def crew_from(args: argparse.Namespace, folder: Path | None = None, threads: int | None = None) -> Crew:
    """Workers that write to `folder`, with `threads` each: --threads, else one.

    One by default, because sums depend on how they are shared out: neither the number of workers nor the
    machine may change a result. Only who works alone takes all cores. Raises ValueError, or ImportError
    naming the extra that is missing.
    """
    crew = Crew(args.engine, args.workers, gpu=args.device != "cpu", folder=folder).sized()
    return replace(crew, threads=threads or args.threads or (torch.get_num_threads() if crew.alone else 1))
