"""One class file for every category of a data set, several at a time; existing ones are kept."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from semcorr_ros.cli._crew import crew_from
from semcorr_ros.cli._options.build_class import BuildClassOptions
from semcorr_ros.cli._options.sources import CategoryOptions
from semcorr_ros.cli._progress import counted
from semcorr_ros.cli._providers import dataset_from
from semcorr_ros.workers import Crew, Failed

Build = Callable[[BuildClassOptions, Path], int]


def build_all(options: BuildClassOptions, build: Build) -> int:
    """Call `build` for each category, --workers at a time; 0 if every class exists at the end.

    A category that fails is named with its reason, and the others are built all the same.
    """
    if options.output.json or options.output.picture or options.output.progress:
        raise ValueError(
            "--json, --picture and --progress are of one category; reports lie beside the class files"
        )
    folder = options.output.class_dir
    assert folder is not None
    crew = crew_from(options.workers, options.sources.compute, folder)
    categories = dataset_from(options.dataset).categories()
    for name in categories:
        if Path(name).name != name:
            raise ValueError(f"--all-categories: {name!r} is no name for a file; --category takes --output")
    paths = {name: folder / f"{name}.safetensors" for name in categories}
    todo = {name: path for name, path in paths.items() if not path.is_file()}
    for name in sorted(set(categories) - set(todo)):
        print(f"{paths[name]}: is there already")
    ones = {name: _of_one(options, name, crew.threads) for name in todo}
    failed = _by(crew, {name: partial(_told, build, one, todo[name]) for name, one in ones.items()})
    for name, reason in sorted(failed.items()):
        print(f"{name}: not built, {reason}")
    return 1 if failed else 0


def _of_one(options: BuildClassOptions, category: str, threads: int) -> BuildClassOptions:
    compute = replace(options.sources.compute, threads=threads)
    return replace(
        options,
        which=CategoryOptions(category),
        sources=replace(options.sources, compute=compute),
    )


def _told(build: Build, one: BuildClassOptions, path: Path) -> str:
    """Return what `build` prints."""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        build(one, path)
    return said.getvalue()


def _by(crew: Crew, jobs: dict[str, Callable[[], str]]) -> dict[str, str]:
    """Run the jobs; return the reasons of the categories that failed."""
    failed = {}
    with counted() as bar:
        task = bar.add_task("classes", total=len(jobs))
        for name, outcome in crew.run(jobs):
            if isinstance(outcome, Failed):
                failed[name] = outcome.reason
            else:
                print(outcome, end="", flush=True)
            bar.advance(task)
    return failed
