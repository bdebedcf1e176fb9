"""Error of the sparse cloud, annotations good and spoiled: `python -m benchmark.building --work DIR`.

Builds the sparse cloud of each procedural class from the pictures of a split of the rendered benchmark
(benchmark/rendered; whatever is missing in DIR is made): keypoints lifted from rendered depth, cameras known.
Error: mean distance of its keypoints to the mean of the complete instances after the best similarity, in
percent of the mean radius. Spoiled: a tenth of the images with left and right swapped, another tenth with a
depth map of something else, or both. Also counts the swapped images that are found, and false alarms.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmark.building import measure
from benchmark.rendered import scenes
from benchmark.rendered.progress import progress
from benchmark.rendered.splits import HELD_OUT, TRAIN, VALIDATION
from semcorr_lab.synthetic.categories import available
from semcorr_lab.synthetic.dataset import DatasetConfig
from semcorr_lab.synthetic.source import ProceduralSource, Source
from semcorr_ros.storage import write_json

Tick = Callable[[], None]
SPLITS = {TRAIN.name: TRAIN, **HELD_OUT}


def main() -> int:
    """Prints the table. Returns 0."""
    args = _arguments()
    split, categories = SPLITS[args.split], tuple(available())
    folder, source = split.folder(args.work), ProceduralSource(categories)
    made = split.pictures(args.images, 10 * args.images if split != TRAIN else 0)
    rows = []
    with progress() as bar:
        total = len(categories) * args.images
        for title, work in (("render", _render), ("truth", _truth)):
            task = bar.add_task(title, total=total)
            work(folder, source, made, args.workers, partial(bar.advance, task))
            bar.update(task, completed=total)
        task = bar.add_task("build", total=len(args.categories or categories))
        for category in args.categories or categories:
            rows.append(measure.category(folder, category, split.spair, args.seed))
            bar.advance(task)
    print(measure.table(rows))
    content = {"split": split.name, "seed": split.seed, "rows": rows}
    write_json(args.work / f"building_{split.label}.json", content)
    return 0


def _render(folder: Path, source: Source, made: DatasetConfig, workers: int, tick: Tick) -> None:
    scenes.render(folder / "data", source, made, workers, tick)


def _truth(folder: Path, source: Source, made: DatasetConfig, workers: int, tick: Tick) -> None:
    scenes.write_truth(folder / "oracle", source, made, tick)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmark.building", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--work", type=Path, default=Path("runs/rendered"), metavar="DIR")
    parser.add_argument(
        "--split", choices=list(SPLITS), default=VALIDATION.name, help="of the rendered benchmark"
    )
    parser.add_argument("--images", type=int, default=30, metavar="N", help="per category (default: 30)")
    parser.add_argument("--categories", nargs="+", choices=available())
    parser.add_argument("--seed", type=int, default=0, help="of which images are spoiled (default: 0)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
