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
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from rich.progress import Progress

from benchmark.rendered import arguments, confidence, prepare, rejection, report, runs
from benchmark.rendered.progress import progress
from benchmark.rendered.variants import CHOICES, MAIN, Variant, variants
from semcorr_lab.synthetic.categories import available
from semcorr_ros.judgement import min_score_for
from semcorr_ros.storage import atomic_path, write_json

ABLATED = "oracle"  # the setting all variants run on
WRONG_IMAGES = 2  # of every other category, per class
EMPTY_IMAGES = 8  # without any object of the class


def main() -> int:
    """Returns 0."""
    args = arguments.parse(__doc__)
    logging.getLogger("semcorr_ros").setLevel(logging.WARNING)
    torch.set_num_threads(1)  # threads that wait for a busy core cost more than they bring
    categories = tuple(available())
    rows: list[dict[str, Any]] = []
    wrong: dict[str, dict[str, list[float]]] = {}  # by feature setting and row
    empty: list[float] = []
    with progress() as bar:
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
                    for name, variant in _sure(args, setting, category).items():
                        found = _wrong(place, (name, variant), categories, bar)
                        wrong.setdefault(setting, {}).setdefault(name, []).extend(found)
    text = _write(args, rows, (wrong, empty))
    print(text)
    return 0


def _rows(args: argparse.Namespace, setting: str, category: str) -> dict[str, Variant]:
    every = variants(category)
    # What a robot meets, on all images: a row of the README, and bad alignments to count.
    if setting == "tiny":
        every |= {name: replace(every[name], share=1.0) for name in confidence.ROWS}
    usual = (*MAIN, *(name for name in confidence.ROWS if name not in MAIN)) if setting == "tiny" else MAIN
    of_ours = [name for name in every if not name.startswith("paper") and name not in CHOICES]
    chosen = args.methods or (of_ours if setting == ABLATED and not args.quick else usual)
    return {name: every[name] for name in chosen if name in every}


def _sure(args: argparse.Namespace, setting: str, category: str) -> dict[str, Variant]:
    """Rows that are also tried on images of other categories: with the object's mask, and without any."""
    rows = _rows(args, setting, category)
    wanted = ("aligned", confidence.ATTENTION) if setting == "tiny" else ("aligned",)
    return {name: rows[name] for name in wanted if name in rows}


def _wrong(
    place: runs.Place, row: tuple[str, Variant], categories: tuple[str, ...], bar: Progress
) -> list[float]:
    name, variant = row
    others = [category for category in categories if category != place.category]
    title = f"{place.setting} {place.category} on other categories, {name}"
    task = bar.add_task(title, total=WRONG_IMAGES * len(others))
    found: list[float] = []
    for other in others:
        found += runs.run_wrong_class(place, variant, other, WRONG_IMAGES, partial(bar.advance, task))
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
    refused: tuple[dict[str, dict[str, list[float]]], list[float]],
) -> str:
    wrong, empty = refused
    settings = dict.fromkeys(row["setting"] for row in rows)
    sure = {name: confidence.collect(rows, wrong.get(name, {}), name) for name in settings}
    summaries = {
        name: {row: confidence.summary(found, min_score_for(name)) for row, found in parts.items()}
        for name, parts in sure.items()
    }
    parts = [f"Split {args.split.name}, seed {args.split.seed}\n"]
    for name in settings:
        tables = report.categories_table(rows, name), report.images_table(rows, name)
        parts.append(f"## {name}\n\n" + "\n\n".join(filter(None, tables)) + "\n")
    parts += [f"## Confidence\n\n{confidence.table(summaries)}\n"]
    parts += [confidence.empty_line(empty, (min_score_for("tiny"), 0.3, 0.5))]
    text = "\n".join(parts) + "\n"
    content = {"split": args.split.name, "seed": args.split.seed, "rows": rows, "confidence": summaries}
    content |= {"other_class": wrong, "without_object": empty}
    label = args.split.label
    write_json(args.json or args.work / f"result_{label}.json", content)
    # The widest of each setting: all rows together, or the only one.
    drawn = {name: list(rows.values())[-1] for name, rows in summaries.items() if rows}
    if drawn:
        report.draw_confidence(args.work / f"confidence_{label}.png", drawn)
    with atomic_path(args.markdown or args.work / f"result_{label}.md") as temporary:
        temporary.write_text(text)
    return text


if __name__ == "__main__":
    raise SystemExit(main())
