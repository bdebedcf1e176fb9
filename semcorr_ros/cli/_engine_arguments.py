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
        choices=ENGINES,
        help="processes of this machine (default), or of a Ray cluster (RAY_ADDRESS) whose machines share"
        " the folders",
    )
    group.add_argument(
        "--workers", type=int, metavar="N", help=f"{job} at a time (default: 1; with ray, all cores)"
    )


def crew_from(args: argparse.Namespace, folder: Path | None = None, threads: int | None = None) -> Crew:
    """Workers that write to `folder`, with `threads` each: --threads, else local ones share the cores.

    Raises ValueError, or ImportError naming the extra that is missing.
    """
    crew = Crew(args.engine, args.workers, gpu=args.device != "cpu", folder=folder).sized()
    shared = torch.get_num_threads() // (crew.workers or 1) if args.engine == "local" else 1
    return replace(crew, threads=threads or args.threads or max(1, shared))
