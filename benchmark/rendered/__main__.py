"""Measure accuracy on rendered images: `python -m benchmark.rendered --work DIR`.

Renders six categories (30 training and 30 test images, 300 pairs each), computes features of three
settings, builds every class, and compares matchers and ablations. Everything is kept in DIR: the same
command goes on after an interruption, and does again only what a change of code or class has outdated.
"""

from __future__ import annotations

import argparse
import logging
import os
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmark.rendered import rejection, report, runs, scenes
from benchmark.rendered.variants import MAIN, variants
from semcorr_lab.synthetic.categories import available
from semcorr_lab.synthetic.dataset import DatasetConfig
from semcorr_lab.synthetic.meshes import open_meshes
from semcorr_lab.synthetic.source import ProceduralSource
from semcorr_ros.storage import atomic_path, write_json

SETTINGS = ("tiny", *scenes.NOISE)
ABLATED = "oracle"  # the setting all variants run on
WRONG_IMAGES = 6  # of the next category, per class
EMPTY_IMAGES = 8  # without any object of the class


def main() -> int:
    """Returns 0."""
    args = _arguments()
    logging.getLogger("semcorr_ros").setLevel(logging.WARNING)
    torch.set_num_threads(1)  # threads that wait for a busy core cost more than they bring
    made = scenes.config(args.images, args.pairs)
    categories = tuple(available())
    rows: list[dict[str, Any]] = []
    wrong: dict[str, list[float]] = {}
    empty: list[float] = []
    with _progress() as bar:
        total = len(categories) * (30 + args.images)
        task = bar.add_task("render", total=total)
        source = ProceduralSource(categories)
        scenes.render(args.work / "data", source, made, args.workers, partial(bar.advance, task))
        bar.update(task, completed=total)
        task = bar.add_task("true surfaces", total=total)
        scenes.write_oracle(args.work / "oracle", categories, made, partial(bar.advance, task))
        meshes = _render_meshes(args, made, bar)
        for setting in [*args.settings, *(["meshes"] if meshes else [])]:
            for category in meshes if setting == "meshes" else args.categories or categories:
                place = runs.Place(args.work, category, setting)
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


def _render_meshes(args: argparse.Namespace, made: DatasetConfig, bar: Progress) -> list[str]:
    """Categories of --meshes, rendered; says which meshes cannot be used and why."""
    if args.meshes is None:
        return []
    source, skipped = open_meshes(args.meshes, args.meshes / "instances.json", None)
    for reason in skipped:
        bar.console.print(f"skipped: {reason}")
    task = bar.add_task("meshes", total=2 * len(source.infos()) * sum(made.images))
    tick = partial(bar.advance, task)
    scenes.render(args.work / "meshes", source, made, args.workers, tick)
    scenes.write_truth(args.work / "meshes_truth", source, made, tick)
    bar.remove_task(task)
    return sorted(source.infos())


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
    parts = [f"## {name}\n\n{report.categories_table(rows, name)}\n" for name in settings]
    for name, numbers in summaries.items():
        shown = {key: value for key, value in numbers.items() if key not in ("calibration", "roc")}
        parts.append(f"confidence, {name}: " + ", ".join(f"{k} {_short(v)}" for k, v in shown.items()))
    if empty:
        parts.append(f"pictures without the object: {len(empty)}, highest confidence {max(empty):.3f}")
    text = "\n".join(parts) + "\n"
    write_json(
        args.json or args.work / "result.json",
        {"rows": rows, "wrong_class": wrong, "without_object": empty, "confidence": summaries},
    )
    report.draw_confidence(args.work / "confidence.png", summaries)
    with atomic_path(args.markdown or args.work / "result.md") as temporary:
        temporary.write_text(text)
    return text


def _short(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmark.rendered", description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("runs/rendered"), help="everything is kept here")
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS), help="features")
    parser.add_argument("--categories", nargs="+", choices=available())
    parser.add_argument(
        "--meshes", type=Path, metavar="DIR", help="a further setting: GLB meshes with DIR/instances.json"
    )
    parser.add_argument("--methods", nargs="+", choices=list(variants("")), help="default: all on oracle")
    parser.add_argument("--quick", action="store_true", help="no ablations")
    parser.add_argument("--images", type=int, default=30, help="test images per category")
    parser.add_argument("--pairs", type=int, default=300, help="test pairs per category")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--json", type=Path, help="default: result.json in --work")
    parser.add_argument("--markdown", type=Path, help="default: result.md in --work")
    return parser.parse_args()


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True))


if __name__ == "__main__":
    raise SystemExit(main())
