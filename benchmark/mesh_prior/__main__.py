"""Adapters without labels: `python -m benchmark.mesh_prior --split validation --work DIR`.

Pseudo-labels of the training pictures of the rendered benchmark (whatever is missing in DIR is made), from
true meshes and poses; how precise each filter makes them, against rendered truth (`--only filters` stops
there); one adapter per row, trained on what that row's filters keep, and PCK of other objects: its backbone
alone, the adapter, the same trained on annotated keypoints, and SemAlign3D on features of both.

Constants are chosen by `--split validation`; `--split test` is run when a table is released. Leaves
result_<split>_<backbone>.json and .md.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmark.mesh_prior import labels, report
from benchmark.mesh_prior.rows import ROWS, Place, run
from benchmark.rendered import scenes
from benchmark.rendered.progress import progress
from benchmark.rendered.splits import HELD_OUT, TRAIN, TRAINING_IMAGES, VALIDATION
from semcorr_lab.synthetic.categories import available
from semcorr_lab.synthetic.source import ProceduralSource
from semcorr_ros.mesh_prior.pseudo_label import LabelConfig
from semcorr_ros.storage import atomic_path, write_json


def main() -> int:
    """Prints the tables. Returns 0."""
    args = _arguments()
    torch.set_num_threads(args.threads)
    known = tuple(sorted(args.categories or available()))
    place = Place(args.work, HELD_OUT[args.split], args.backbone, known, args.steps, args.pairs)
    with progress() as bar:
        _render(args, place, bar)
        config = LabelConfig(partners=args.partners)
        judged, seconds = [], {}
        for category in known:
            own = labels.training(place.data(TRAIN), ProceduralSource(known), place.labels, category)
            task = bar.add_task(f"labels, {category}", total=4 * len(own.samples))
            started = time.monotonic()
            labels.make(own, args.backbone, config, args.sphere, partial(bar.advance, task))
            seconds[category] = time.monotonic() - started
            judged += labels.filters(own, config, args.judged)
    result: dict[str, Any] = {"filters": judged, "seconds": seconds, "rows": []}
    _write(args, place, result)
    for name in () if args.only == "filters" else args.rows or list(ROWS):
        result["rows"] += run(place, name, ROWS[name], partial(replace, config))
        _write(args, place, result)
    print(_write(args, place, result))
    return 0


def _render(args: argparse.Namespace, place: Place, bar: Any) -> None:
    for part, made in (
        (TRAIN, TRAIN.pictures(TRAINING_IMAGES)),
        (place.split, place.split.pictures(30, 100)),
    ):
        task = bar.add_task(f"render, {part.name}", total=len(place.categories) * sum(made.images))
        tick = partial(bar.advance, task)
        scenes.render(place.data(part), ProceduralSource(place.categories), made, args.workers, tick)
        bar.update(task, completed=len(place.categories) * sum(made.images))


def _write(args: argparse.Namespace, place: Place, result: dict[str, Any]) -> str:
    text = report.text(result)
    name = f"result_{place.split.label}_{args.backbone}"
    write_json(place.folder / f"{name}.json", result)
    with atomic_path(place.folder / f"{name}.md") as temporary:
        temporary.write_text(text)
    return text


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, default=Path("runs/rendered"), metavar="DIR")
    parser.add_argument("--split", choices=sorted(HELD_OUT), default=VALIDATION.name)
    parser.add_argument("--backbone", default="tiny")
    parser.add_argument("--categories", nargs="+", choices=available(), help="default: all")
    parser.add_argument("--rows", nargs="+", choices=sorted(ROWS), help="default: all")
    parser.add_argument("--only", choices=("filters",), help="stop after the filters")
    parser.add_argument("--sphere", type=Path, metavar="FILE", help="of train_sphere: DIY-SC's filter beside")
    parser.add_argument("--partners", type=int, default=10, help="pictures each is matched to")
    parser.add_argument("--judged", type=int, default=20, help="pairs held against the truth, per category")
    parser.add_argument("--steps", type=int, default=1500, help="of an adapter")
    parser.add_argument("--pairs", type=int, default=100, help="per category")
    parser.add_argument("--workers", type=int, default=2, help="processes that render")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
