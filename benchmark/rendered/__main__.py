"""Measure accuracy on rendered images: `python -m benchmark.rendered --split validation --work DIR`.

Renders six categories (30 training images, 30 others and 300 pairs of these), computes features of three
settings, builds every class, and compares matchers and ablations. Everything is kept in DIR: the same
command goes on after an interruption, and does again only what a change of code or class has outdated.

Constants are chosen by what `--split validation` says, and by nothing else. `--split test` has other
objects, pictures and pairs; it is run when a table is released, and changes no constant. Classes and
training pictures are the same for both. No --split is validation: nobody looks at test by accident.
Leaves result_<split>_<seed>.json and .md, and confidence_<split>_<seed>.png.
"""

from __future__ import annotations

import argparse
import logging
from functools import partial
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmark.rendered import arguments, prepare, rejection, report, runs
from benchmark.rendered.variants import MAIN, variants
from semcorr_lab.synthetic.categories import available
from semcorr_ros.storage import atomic_path, write_json

ABLATED = "oracle"  # the setting all variants run on
WRONG_IMAGES = 6  # of the next category, per class
EMPTY_IMAGES = 8  # without any object of the class


def main() -> int:
    """Returns 0."""
    args = arguments.parse(__doc__)
    logging.getLogger("semcorr_ros").setLevel(logging.WARNING)
    torch.set_num_threads(1)  # threads that wait for a busy core cost more than they bring
    categories = tuple(available())
    rows: list[dict[str, Any]] = []
    wrong: dict[str, list[float]] = {}
    empty: list[float] = []
    with _progress() as bar:
        prepare.procedural(args, categories, bar)
        meshes = prepare.meshes(args, bar)
        for setting in [*args.settings, *(["meshes"] if meshes else [])]:
            for category in meshes if setting == "meshes" else args.categories or categories:
                place = runs.Place(args.work, category, setting, args.split)
                runs.build(place)
                for name, variant in _rows(args, setting, category).items():
                    row = bar.add_task(f"{setting} {category} {name}", total=None)
                    rows.append(runs.run(place, name, variant, args.workers, partial(bar.advance, row)))
                    bar.remove_task(row)
                    _write(args, rows, (wrong, empty))
                if setting == "tiny":
                    empty += _empty(place, bar)
                if setting != "meshes":
                    wrong.setdefault(setting, []).extend(_wrong(place, categories, bar))
    text = _write(args, rows, (wrong, empty))
    print(text)
    return 0


def _rows(args: argparse.Namespace, setting: str, category: str) -> dict[str, Any]:
    every = variants(category)
    chosen = args.methods or (every if setting == ABLATED and not args.quick else MAIN)
    return {name: every[name] for name in chosen if name in every}


def _wrong(place: runs.Place, categories: tuple[str, ...], bar: Progress) -> list[float]:
    other = categories[(categories.index(place.category) + 1) % len(categories)]
    task = bar.add_task(f"{place.setting} {place.category} on images of {other}", total=WRONG_IMAGES)
    found = runs.run_wrong_class(
        place, variants(place.category)["aligned"], other, WRONG_IMAGES, lambda n: bar.advance(task, n)
    )
    bar.remove_task(task)
    return found


def _empty(place: runs.Place, bar: Progress) -> list[float]:
    task = bar.add_task(f"{place.setting} {place.category} without the object", total=EMPTY_IMAGES)
    variant = variants(place.category)["aligned"]
    found = rejection.without_object(place, variant, EMPTY_IMAGES, lambda n: bar.advance(task, n))
    bar.remove_task(task)
    return found


def _write(
    args: argparse.Namespace,
    rows: list[dict[str, Any]],
    refused: tuple[dict[str, list[float]], list[float]],
) -> str:
    wrong, empty = refused
    settings = dict.fromkeys(row["setting"] for row in rows)
    summaries = {name: report.confidence_summary(rows, wrong, name) for name in settings}
    parts = [f"Split {args.split.name}, seed {args.split.seed}\n"]
    parts += [f"## {name}\n\n{report.categories_table(rows, name)}\n" for name in settings]
    for name, numbers in summaries.items():
        shown = {key: value for key, value in numbers.items() if key not in ("calibration", "roc")}
        parts.append(f"confidence, {name}: " + ", ".join(f"{k} {_short(v)}" for k, v in shown.items()))
    if empty:
        parts.append(f"pictures without the object: {len(empty)}, highest confidence {max(empty):.3f}")
    text = "\n".join(parts) + "\n"
    content = {"split": args.split.name, "seed": args.split.seed, "rows": rows, "confidence": summaries}
    content |= {"wrong_class": wrong, "without_object": empty}
    label = args.split.label
    write_json(args.json or args.work / f"result_{label}.json", content)
    report.draw_confidence(args.work / f"confidence_{label}.png", summaries)
    with atomic_path(args.markdown or args.work / f"result_{label}.md") as temporary:
        temporary.write_text(text)
    return text


def _short(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True))


if __name__ == "__main__":
    raise SystemExit(main())
