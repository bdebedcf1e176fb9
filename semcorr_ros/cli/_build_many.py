"""One class file for every category of a data set, several at a time; what is there is kept."""

from __future__ import annotations

import argparse
import copy
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from semcorr_ros.cli import _data_arguments as data

Build = Callable[[argparse.Namespace], int]


def build_all(args: argparse.Namespace, build: Build) -> int:
    """Call `build` for each category, in --workers processes; 0 if every class is there at the end.

    A category that fails is named with its reason, and the others are built all the same.
    """
    if args.workers < 1:
        raise ValueError(f"--workers must be at least 1, got {args.workers}")
    if args.json or args.picture:
        raise ValueError("--json and --picture are of one category; reports lie beside the class files")
    categories = data.dataset_from(args).categories()
    paths = {name: args.class_dir / f"{name}.safetensors" for name in categories}
    todo = {name: _of_one(args, name, path) for name, path in paths.items() if not path.is_file()}
    for name in sorted(set(categories) - set(todo)):
        print(f"{paths[name]}: is there already")
    failed = _in_processes(todo, build, args.workers)
    for name, reason in sorted(failed.items()):
        print(f"{name}: not built, {reason}")
    return 1 if failed else 0


def _of_one(args: argparse.Namespace, category: str, path: Path) -> argparse.Namespace:
    one = copy.copy(args)
    one.all_categories, one.category, one.output = False, category, path
    one.threads = args.threads or max(1, torch.get_num_threads() // args.workers)
    return one


def _in_processes(todo: dict[str, argparse.Namespace], build: Build, workers: int) -> dict[str, str]:
    """Reasons of the categories that failed."""
    failed = {}
    # spawn: a forked process could neither use CUDA nor trust torch's threads.
    pool = ProcessPoolExecutor(max(1, min(workers, len(todo))), multiprocessing.get_context("spawn"))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("classes", total=len(todo))
        try:
            jobs = {pool.submit(build, one): name for name, one in todo.items()}
            for job in as_completed(jobs):
                try:
                    job.result()
                except (ValueError, OSError, ImportError, torch.linalg.LinAlgError) as error:
                    failed[jobs[job]] = str(error)
                except BrokenProcessPool:
                    failed[jobs[job]] = "its process died (out of memory?); try fewer --workers"
                bar.advance(task)
        finally:
            pool.shutdown(cancel_futures=True)
    return failed
