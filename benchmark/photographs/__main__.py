"""Build classes from photographs and try them on others: `python -m benchmark.photographs ROOT --work DIR`.

ROOT is a `folder` data set (docs/datasets.md) with splits trn and test; several may be given. Classes are
built from photographs and keypoints alone, and tried on pixels alone: no depth, no camera, no mask. Every
class is also looked for in the photographs of the other classes, and in the pictures of --negatives, of
anything else. --folds tries constants on parts of the training photographs and leaves the test photographs
alone. Everything is kept in DIR: the same command goes on after an interruption. Leaves results.json,
table.md and a contact sheet per class and split.
"""

from __future__ import annotations

import argparse
import logging
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.progress import Progress

from benchmark.photographs import negatives, report, runs, splits
from benchmark.rendered.progress import progress
from semcorr_ros import config
from semcorr_ros.datasets import DATASETS, Dataset
from semcorr_ros.features import FEATURES
from semcorr_ros.methods.semalign3d.alignment import AlignmentConfig
from semcorr_ros.storage import atomic_path, write_image, write_json


def main() -> int:
    """Returns 0."""
    args = _arguments()
    logging.getLogger("semcorr_ros").setLevel(logging.WARNING)
    torch.set_num_threads(1)  # threads that wait for a busy core cost more than they bring
    opened = [(root, DATASETS.load("folder").build(root)) for root in args.roots]
    classes = [(root, data, category) for root, data in opened for category in data.categories()]
    results: list[dict[str, Any]] = []
    with progress() as bar:
        for root, data, category in classes:
            for split in _splits(args, data, category):
                result = _one(args, root, category, split, bar)
                results.append(result | {"others": _in_others(args, result, classes, bar)})
                _write(args, results)
    print(_write(args, results))
    return 0


def _splits(args: argparse.Namespace, data: Dataset, category: str) -> list[splits.Split]:
    train, test = ([image.name for image in data.images(category, which)] for which in ("trn", "test"))
    if args.folds:
        return splits.folds(train, args.folds, args.seed)
    sizes = sorted({min(size, len(train)) for size in args.train})
    return [split for n in sizes for split in splits.draws(train, test, n, args.splits, args.seed)]


def _one(
    args: argparse.Namespace, root: Path, category: str, split: splits.Split, bar: Progress
) -> dict[str, Any]:
    place = _place(args, category, f"fold_{split.name}" if args.folds else split.name)
    splits.write(split, root, category, place.folder)
    runs.build(place)
    found = runs.setup(place, _alignment(args))
    task = bar.add_task(f"{category} {split.name}", total=None)
    outcome = runs.run(place, found, lambda: bar.advance(task))
    bar.remove_task(task)
    write_image(place.folder / f"{category}.jpg", report.contact_sheet(found, outcome))
    return {
        "category": category,
        "training": f"{args.folds} folds" if args.folds else len(split.train),
        "split": split.number,
        "folder": place.folder.name,
        "methods": outcome.methods,
        "photos": [asdict(photo) for photo in outcome.photos],
    }


def _in_others(
    args: argparse.Namespace,
    result: dict[str, Any],
    classes: list[tuple[Path, Dataset, str]],
    bar: Progress,
) -> dict[str, list[float]]:
    """Confidence of a class in the photographs of other classes that are tried on, and in negatives."""
    category = result["category"]
    place = _place(args, category, result["folder"])
    split = "trn" if args.folds else "test"
    others = {name: list(data.images(name, split)) for _, data, name in classes if name != category}
    for label, paths in negatives.pictures(args.negatives, category, bool(args.folds)).items():
        others[label] = others.get(label, []) + [negatives.sample(path, label) for path in paths]
    task = bar.add_task(f"{category} in others", total=sum(map(len, others.values())))
    setup = runs.setup(place, _alignment(args))
    found = {
        label: runs.sureness(place, setup, {one.name: one for one in images}, partial(bar.advance, task))
        for label, images in others.items()
    }
    bar.remove_task(task)
    return found


def _place(args: argparse.Namespace, category: str, name: str) -> runs.Place:
    options = [part for text in args.backbone_option for part in ("--backbone-option", text)]
    folder = args.work / category / name
    backbone = ("--backbone", args.backbone, *options)
    return runs.Place(folder, category, backbone, tuple(args.build.split()), args.work / "cache")


def _alignment(args: argparse.Namespace) -> AlignmentConfig | None:
    return config.load(AlignmentConfig, args.alignment) if args.alignment else None


def _write(args: argparse.Namespace, results: list[dict[str, Any]]) -> str:
    text = f"{report.table(results)}\n\nRefused below a confidence:\n\n{negatives.table(results)}\n"
    write_json(args.work / "results.json", results)
    with atomic_path(args.work / "table.md") as temporary:
        temporary.write_text(text)
    return text


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmark.photographs", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("roots", nargs="+", type=Path, metavar="ROOT", help="`folder` data sets")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="everything is kept here")
    parser.add_argument(
        "--train", type=int, nargs="+", default=[25], metavar="N", help="training photographs (default: 25)"
    )
    parser.add_argument(
        "--splits", type=int, default=3, metavar="K", help="random training sets of each size (default: 3)"
    )
    parser.add_argument(
        "--folds",
        type=int,
        metavar="K",
        help="instead: parts of the training photographs, to choose constants by",
    )
    parser.add_argument(
        "--negatives",
        type=Path,
        nargs="+",
        default=[],
        metavar="FOLDER",
        help="pictures of anything else, not annotated; sub-folders say of what",
    )
    parser.add_argument("--backbone", default="efficientnet_lite", choices=FEATURES.names())
    parser.add_argument("--backbone-option", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument(
        "--build", default="", metavar="ARGS", help="further arguments of build_class, quoted"
    )
    parser.add_argument("--alignment", type=Path, metavar="YAML", help="constants of the alignment")
    parser.add_argument("--seed", type=int, default=0, help="of the random training sets (default: 0)")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
