"""Spherical maps on rendered classes: `python -m benchmark.spherical --split validation --work DIR`.

Trains one mapper per row and seed on the training pictures of the rendered benchmark (benchmark/rendered;
whatever is missing in DIR is made) and matches pairs of other objects: features alone, the sphere alone,
both, each loss left out (Table 4 of the paper), and viewpoints that nobody annotated. All three ways of
matching see the same windows and outlines. The same command goes on after an interruption.

`--alignment` compares SemAlign3D classes on features with those on features and sphere instead.

Constants are chosen by `--split validation`; `--split test` is run when a table is released. Leaves
result_<split>_<backbone>.json and .md.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmark.rendered import scenes
from benchmark.rendered.progress import progress
from benchmark.rendered.splits import HELD_OUT, TRAIN, TRAINING_IMAGES, VALIDATION, Split
from benchmark.spherical import alignment, report, throughput
from benchmark.spherical.rows import ROWS, Place, run
from semcorr_lab.synthetic.categories import available
from semcorr_lab.synthetic.source import ProceduralSource
from semcorr_ros.storage import atomic_path, write_json


def main() -> int:
    """Prints the table. Returns 0."""
    args = _arguments()
    torch.set_num_threads(args.threads)
    if args.throughput:
        print("\n".join(throughput.rows()))
        return 0
    split, known = HELD_OUT[args.split], tuple(available())
    with progress() as bar:
        for part, made in ((TRAIN, TRAIN.pictures(TRAINING_IMAGES)), (split, split.pictures(30, 300))):
            task = bar.add_task(f"render, {part.name}", total=len(known) * sum(made.images))
            folder, tick = part.folder(args.work) / "data", partial(bar.advance, task)
            scenes.render(folder, ProceduralSource(known), made, args.workers, tick)
            bar.update(task, completed=len(known) * sum(made.images))
    if args.alignment:
        return _alignment(args, Place(args.work, split, args.backbone, known, args.seeds[0]))
    results: list[dict[str, Any]] = []
    for seed in args.seeds:
        for name in args.rows or [name for name, row in ROWS.items() if seed < row.seeds]:
            place = Place(args.work, split, args.backbone, tuple(args.categories or known), seed)
            results += run(place, name, ROWS[name], args.steps, args.pairs)
            _write(args, split, results)
    print(_write(args, split, results))
    return 0


def _alignment(args: argparse.Namespace, place: Place) -> int:
    categories = args.categories or place.categories
    with progress() as bar:
        kinds = 2 * len(alignment.OUTLINES)
        task = bar.add_task("align", total=kinds * alignment.IMAGES * len(categories))
        found = alignment.rows(place, categories, args.steps, partial(bar.advance, task))
    name = f"alignment_{place.split.label}_{args.backbone}"
    write_json(args.json or args.work / f"{name}.json", {"rows": found, "steps": args.steps})
    text = report.alignment_table(found)
    with atomic_path(args.work / f"{name}.md") as temporary:
        temporary.write_text(f"{text}\n")
    print(text)
    return 0


def _write(args: argparse.Namespace, split: Split, results: list[dict[str, Any]]) -> str:
    text = f"Split {split.name}, seed {split.seed}, {args.backbone}\n\n{report.table(results)}\n"
    name = f"result_{split.label}_{args.backbone}"
    write_json(args.json or args.work / f"{name}.json", {"rows": results, "steps": args.steps})
    with atomic_path(args.work / f"{name}.md") as temporary:
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
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of training")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--pairs", type=int, default=100, help="per category")
    parser.add_argument("--workers", type=int, default=2, help="processes that render")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--alignment", action="store_true", help="of SemAlign3D classes on both features")
    parser.add_argument("--throughput", action="store_true", help="only time the head beside its backbone")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
