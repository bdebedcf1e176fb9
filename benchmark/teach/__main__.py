"""What teaching costs, and what 15 pictures are worth: python -m benchmark.teach --work DIR [--json FILE].

A scripted user takes pictures of rendered objects, corrects what is off by more than 5 % of the object, and
confirms. Clicks (drags and keys, too) and seconds against annotating from scratch, by the number of the
picture; PCK@0.1 of the class of half the pictures against that of all, on other objects.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from benchmark.teach.camera import Shown, shown
from benchmark.teach.user import corrected, from_scratch
from semcorr_ros.finder import Finder
from semcorr_ros.live_providers import live_providers
from semcorr_ros.methods import Model
from semcorr_ros.options import flag
from semcorr_ros.places import ANYWHERE
from semcorr_ros.provider_options import DepthOptions, FeatureOptions, MaskOptions
from semcorr_ros.storage import write_json
from semcorr_ros.teach.actions import Accept, AddKeypoint, SetPairs
from semcorr_ros.teach.build_command import build_words
from semcorr_ros.teach.pictures import Shot
from semcorr_ros.teach.session import Session
from semcorr_ros.teach.teacher import FEWEST, Teacher

TEST_SEED = 5000  # objects that nobody is taught
ALPHA = 0.1


def main() -> int:
    """Print the numbers. Returns 0."""
    given = _arguments()
    shutil.rmtree(given.work, ignore_errors=True)
    draws = np.random.default_rng(given.seed)
    options = FeatureOptions(backbone=given.backbone)
    finder = Finder(live_providers((options, MaskOptions(), DepthOptions()), "cpu", None, flag))
    own = ["--backbone", given.backbone, "--threads", "1"]
    session = Session(given.work, given.category)
    teacher = Teacher(session, finder, lambda state, *files: build_words(session.root, state, files, own))
    built, session.changed = session.changed, lambda: None  # built at set times, whatever the machine does
    rows, scores = [], {}
    try:
        for number in track(range(1, given.pictures + 1), "teach"):
            view = shown(given.category, given.seed + number // given.each, draws)
            rows.append(_taught(teacher, number, view, rows[-1]["seconds"] if rows else 0.0))
            if (number >= FEWEST and (number - FEWEST) % given.every == 0) or number == given.pictures // 2:
                _build(teacher, built)
            if number in (given.pictures // 2, given.pictures):
                _build(teacher, built)
                scores[number] = _pck(finder, teacher.knowledge.model, given)
    finally:
        teacher.close()
    _print(rows, scores)
    if given.json:
        write_json(given.json, {"pictures": rows, "pck@0.1": scores, "seed": given.seed})
    return 0


def _taught(teacher: Teacher, number: int, view: Shown, before: float) -> dict[str, Any]:
    session = teacher.session
    name = session.add(Shot(view.frame))
    if number == 1:
        for keypoint in view.keypoints:
            session.do(AddKeypoint(keypoint))
        session.do(SetPairs(tuple(map(tuple, teacher.state()["proposed_pairs"]))))
    start = time.perf_counter()
    found = teacher.proposal(name).result()
    waited = time.perf_counter() - start
    scratch = from_scratch(view)
    marks, effort, wrong = corrected(
        view, found["marks"], 0.0
    )  # it is computed while the last one is corrected
    if number == 1:
        effort = scratch
    session.do(Accept(name, marks, found["mask"]))
    return {
        "number": number,
        "by": found["by"],
        "clicks": effort.clicks,
        "seconds": round(effort.seconds, 1),
        "clicks_from_scratch": scratch.clicks,
        "seconds_from_scratch": round(scratch.seconds, 1),
        "computed_in": round(waited, 2),
        **wrong,
    }


def _build(teacher: Teacher, changed: Any) -> None:
    changed()
    while teacher.builder.status()["state"] in ("running", "waiting"):
        time.sleep(0.1)
    if error := teacher.builder.status()["error"]:
        raise ValueError(error)


def _pck(finder: Finder, model: Model, given: argparse.Namespace) -> float:
    """Measure the share of visible keypoints of other objects found within 0.1 of the object's box."""
    draws, hits = np.random.default_rng(TEST_SEED), []
    for i in range(given.tests):
        view = shown(given.category, TEST_SEED + i, draws)
        answer = finder.find(model, finder.scene(view.frame), ANYWHERE)
        places = dict(zip(answer.names, answer.pixels.tolist(), strict=True))
        for name, true in view.keypoints.items():
            if true is not None:
                off = np.hypot(*np.subtract(places.get(name, (np.inf, np.inf)), true))
                hits.append(bool(off < ALPHA * view.side))
    return sum(hits) / len(hits)


def _print(rows: list[dict[str, Any]], scores: dict[int, float]) -> None:
    for row in rows:
        print(" ".join(f"{key}={value}" for key, value in row.items()))
    for label, some in (("2-4", rows[1:4]), ("5-10", rows[4:10]), ("after 10", rows[10:])):
        if some:
            share = {
                kind: statistics.mean(row[kind] for row in some)
                / statistics.mean(row[f"{kind}_from_scratch"] for row in some)
                for kind in ("clicks", "seconds")
            }
            told = ", ".join(f"{value:.0%} of the {kind}" for kind, value in share.items())
            print(f"pictures {label}: {told}")
    for number, score in scores.items():
        print(f"class of {number} pictures: PCK@0.1 {100 * score:.1f} on other objects")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True, help="folder of the project; emptied first")
    parser.add_argument("--category", default="mug")
    parser.add_argument("--pictures", type=int, default=30)
    parser.add_argument("--each", type=int, default=3, help="pictures of one object")
    parser.add_argument("--every", type=int, default=3, help="a build after so many pictures")
    parser.add_argument("--tests", type=int, default=24, help="other objects that the classes are tried on")
    parser.add_argument("--backbone", default="tiny")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
