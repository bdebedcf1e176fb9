"""Does the fast engine find what the reference finds? `python -m benchmark.agreement --work DIR`

Aligns the same validation images of the rendered benchmark (benchmark/rendered; whatever is missing in DIR
is made) by every engine from the same starts, and compares final energy, PCK and time. Exit status 1 where
the mean energy is more than 0.5 %, or PCK@0.1 more than one point, worse than the first engine's.
"""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmark.rendered import runs, scenes
from benchmark.rendered.progress import progress
from benchmark.rendered.splits import TRAIN, TRAINING_IMAGES, VALIDATION
from benchmark.rendered.variants import Variant
from semcorr_lab.synthetic.categories import available
from semcorr_lab.synthetic.source import ProceduralSource
from semcorr_ros.methods.semalign3d.alignment.engine import ENGINES
from semcorr_ros.methods.semalign3d.alignment.presets import preset
from semcorr_ros.methods.semalign3d.alignment_file import read_alignment
from semcorr_ros.storage import write_json

ENERGY, PCK = 0.005, 0.01  # how much worse is still the same


@dataclass(frozen=True)
class Found:
    """What an engine answered for one category."""

    engine: str
    category: str
    energy: dict[str, float]  # of the best hypothesis, by image
    seconds: float  # per image, median
    pck: float  # at 0.1, mean over pairs; NaN without any


def main() -> int:
    """Returns 0, or 1 where an engine is worse than the first."""
    args = _arguments()
    logging.getLogger("semcorr_ros").setLevel(logging.WARNING)
    torch.set_num_threads(1)
    categories = tuple(available())
    with progress() as bar:
        source, tried = ProceduralSource(categories), VALIDATION.pictures(args.rendered, 10 * args.rendered)
        task = bar.add_task("render", total=len(categories) * (TRAINING_IMAGES + args.rendered))
        for split, made in ((TRAIN, TRAIN.pictures(TRAINING_IMAGES)), (VALIDATION, tried)):
            folder = split.folder(args.work) / "data"
            scenes.render(folder, source, made, args.workers, partial(bar.advance, task))
        rows = []
        for category in categories:
            place = runs.Place(args.work, category, "tiny", VALIDATION)
            runs.build(place)
            for engine in args.engines:
                task = bar.add_task(f"{category}, {engine}", total=args.images)
                rows.append(_found(place, engine, args, lambda n, task=task: bar.advance(task, n)))
    verdict = {engine: compare(rows, args.engines[0], engine) for engine in args.engines[1:]}
    print(table(rows, args.engines))
    for engine, numbers in verdict.items():
        print(f"\n{engine} against {args.engines[0]}: " + ", ".join(f"{k} {v}" for k, v in numbers.items()))
    write_json(args.work / "agreement.json", {"rows": [vars(row) for row in rows], "verdict": verdict})
    return 0 if all(numbers["same"] for numbers in verdict.values()) else 1


def _found(place: runs.Place, engine: str, args: argparse.Namespace, tick: Any) -> Found:
    config, share = replace(preset("fast"), engine=engine), args.images / args.rendered
    variant = Variant("aligned", config, camera=args.known, depth=args.known, share=share)
    setup = runs.make_setup(place, variant)
    journal, row = runs.answer(place, setup, (f"engine {engine}", variant), args.workers, tick)
    files = sorted(journal.path.parent.glob("alignments/*.safetensors"))
    energy = {path.stem: float(read_alignment(path).energy[0]) for path in files}
    seconds = float(np.median([*journal.image_seconds.values()]))
    pck = row["pck"]["per_image"]["0.1"] if row["pairs"] else float("nan")
    return Found(engine, place.category, energy, seconds, pck)


def compare(rows: Sequence[Found], first: str, other: str) -> dict[str, Any]:
    """Paired over the images both could align; differences in percent of the first's mean energy."""
    ours, theirs = (
        {(row.category, image): e for row in rows if row.engine == name for image, e in row.energy.items()}
        for name in (other, first)
    )
    both = sorted(set(ours) & set(theirs))
    scale = abs(float(np.mean([theirs[k] for k in both])))
    worse = np.array([ours[k] - theirs[k] for k in both]) / scale
    pck = {name: _pck([r for r in rows if r.engine == name]) for name in (first, other)}
    same = float(worse.mean()) <= ENERGY and pck[first] - pck[other] <= PCK
    return {
        "images": len(both),
        "energy %": round(100 * float(worse.mean()), 3),
        "standard error %": round(100 * float(worse.std(ddof=1)) / len(both) ** 0.5, 3),
        "images better by 1 %": int((worse < -0.01).sum()),
        "images worse by 1 %": int((worse > 0.01).sum()),
        "PCK@0.1": f"{100 * pck[other]:.1f} against {100 * pck[first]:.1f}",
        "times faster": round(_seconds(rows, first) / _seconds(rows, other), 1),
        "same": bool(same),
    }


def _pck(rows: Sequence[Found]) -> float:
    known = [row.pck for row in rows if row.pck == row.pck]
    return float(np.mean(known)) if known else float("nan")


def _seconds(rows: Sequence[Found], engine: str) -> float:
    return float(np.mean([row.seconds for row in rows if row.engine == engine]))


def table(rows: Sequence[Found], engines: Sequence[str]) -> str:
    """Markdown: one line per category, energy, PCK@0.1 and seconds per image of every engine."""
    heads = [f"{what}, {engine}" for what in ("energy", "PCK@0.1", "s / image") for engine in engines]
    lines = ["| | images | " + " | ".join(heads) + " |", "|" + "---|" * (len(heads) + 2)]
    for category in [*dict.fromkeys(row.category for row in rows), ""]:
        mine = [[r for r in rows if r.engine == e and category in ("", r.category)] for e in engines]
        energies = [np.mean([e for row in part for e in row.energy.values()]) for part in mine]
        pcks = [100 * _pck(part) for part in mine]
        cells = [f"{v:.4f}" for v in energies] + [f"{v:.1f}" for v in pcks]
        cells += [f"{np.mean([row.seconds for row in part]):.2f}" for part in mine]
        images = sum(len(row.energy) for row in mine[0])
        lines.append(f"| {category or 'all'} | {images} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmark.agreement", description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("runs/rendered"), help="everything is kept here")
    parser.add_argument(
        "--engines", nargs="+", default=["reference", "auto"], choices=ENGINES, help="default: reference auto"
    )
    parser.add_argument("--images", type=int, default=9, metavar="N", help="per category (default: 9)")
    parser.add_argument(
        "--rendered", type=int, default=30, metavar="N", help="validation images per category to choose from"
    )
    parser.add_argument(
        "--known", action=argparse.BooleanOptionalAction, default=True, help="camera and depth are known"
    )
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="processes")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
