"""One class file for every category of a data set, several at a time; what is there is kept."""

from __future__ import annotations

import argparse
import contextlib
import copy
import io
from collections.abc import Callable
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from semcorr_ros.cli import _data_arguments as data
from semcorr_ros.cli._engine_arguments import crew_from
from semcorr_ros.workers import Crew, Failed

Build = Callable[[argparse.Namespace], int]


def build_all(args: argparse.Namespace, build: Build) -> int:
    """Call `build` for each category, --workers at a time; 0 if every class is there at the end.

    A category that fails is named with its reason, and the others are built all the same.
    """
    if args.json or args.picture:
        raise ValueError("--json and --picture are of one category; reports lie beside the class files")
    crew = crew_from(args, args.class_dir)
    categories = data.dataset_from(args).categories()
    for name in categories:
        if Path(name).name != name:
            raise ValueError(f"--all-categories: {name!r} is no name for a file; --category takes --output")
    paths = {name: args.class_dir / f"{name}.safetensors" for name in categories}
    todo = {name: path for name, path in paths.items() if not path.is_file()}
    for name in sorted(set(categories) - set(todo)):
        print(f"{paths[name]}: is there already")
    ones = {name: _of_one(args, name, path, crew.threads) for name, path in todo.items()}
    failed = _by(crew, {name: partial(_told, build, one) for name, one in ones.items()})
    for name, reason in sorted(failed.items()):
        print(f"{name}: not built, {reason}")
    return 1 if failed else 0


def _of_one(args: argparse.Namespace, category: str, path: Path, threads: int) -> argparse.Namespace:
    one = copy.copy(args)
    one.all_categories, one.category, one.output, one.threads = False, category, path, threads
    return one


def _told(build: Build, one: argparse.Namespace) -> str:
    """What `build` prints, wherever that is."""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        build(one)
    return said.getvalue()


def _by(crew: Crew, jobs: dict[str, Callable[[], str]]) -> dict[str, str]:
    """Reasons of the categories that failed."""
    failed = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("classes", total=len(jobs))
        for name, outcome in crew.run(jobs):
            if isinstance(outcome, Failed):
                failed[name] = outcome.reason
            else:
                print(outcome, end="", flush=True)
            bar.advance(task)
    return failed
