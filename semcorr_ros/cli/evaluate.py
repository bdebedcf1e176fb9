"""Measure PCK, PCK-dagger and KAP of one or several methods on the pairs of a data set."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from semcorr_ros import methods
from semcorr_ros.cli import _data_arguments as data
from semcorr_ros.cli import _evaluation_output as output
from semcorr_ros.cli._alignment_arguments import add_alignment_arguments
from semcorr_ros.cli._engine_arguments import add_engine_arguments, crew_from
from semcorr_ros.cli._evaluation import Bench, Scored, bench_from, categories, evaluate, score_again
from semcorr_ros.evaluation import THRESHOLDS, kap


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `semcorr_ros evaluate`."""
    data.add_dataset_arguments(parser)
    data.add_provider_arguments(parser)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--category", help="one category")
    which.add_argument("--all-categories", action="store_true", help="every category with a class file")
    parser.add_argument("--split", default="test", choices=["trn", "val", "test"])
    parser.add_argument("--class-file", type=Path, metavar="FILE", help="of --category; see build_class")
    parser.add_argument("--class-dir", type=Path, metavar="DIR", help="holds <category>.safetensors")
    parser.add_argument(
        "--method",
        action="append",
        choices=[methods.OWN, *methods.METHODS.names()],
        help="may be given several times (default: aligned)",
    )
    add_alignment_arguments(parser)
    parser.add_argument("--max-pairs", type=int, metavar="N", help="a random subset of this many pairs")
    parser.add_argument(
        "--seed", type=int, default=0, help="of the subset and of the alignments (default: 0)"
    )
    add_engine_arguments(parser, "processes that align")
    _add_protocol_arguments(parser)
    _add_output_arguments(parser)


def _add_protocol_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("protocol")
    group.add_argument(
        "--threshold",
        choices=THRESHOLDS,
        default="bbox",
        help="what alpha is a fraction of: the target's box, at 0.1 0.05 0.01 (default), or its image,"
        " at 0.15 0.1 0.05 as usual on PF-PASCAL",
    )
    group.add_argument(
        "--kap-grid",
        choices=kap.GRIDS,
        default="features",
        help="cells that KAP looks at: those of the features (default), or 60 x 60 on a square canvas"
        " like in published numbers",
    )

    group.add_argument(
        "--adaptive-flip",
        action="store_true",
        help="methods without alignment match the mirrored source where that resembles the target more"
        " (GeoAware-SC)",
    )


def _add_output_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("output")
    group.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="result here: an object; with several methods a list; with --all-categories"
        ' {"results": [...], "mean": [one per method], "all_pairs": [one per method], "skipped": [...]}',
    )
    group.add_argument("--markdown", type=Path, metavar="FILE", help="the tables here")
    group.add_argument(
        "--html", type=Path, metavar="FILE", help="one page with the tables and pictures of pairs here"
    )
    group.add_argument(
        "--pictures",
        type=int,
        default=2,
        metavar="N",
        help="of the worst and of the best pairs of each category and method in --html (default: 2)",
    )
    group.add_argument(
        "--work",
        type=Path,
        metavar="DIR",
        help="predictions and alignments, resumed if nothing relevant changed"
        " (default: <json>_predictions/, without --json a temporary folder)",
    )
    group.add_argument(
        "--rescore",
        type=Path,
        metavar="DIR",
        help="score the predictions in this --work folder again; no features or classes are needed",
    )


def run(args: argparse.Namespace) -> int:
    """Returns 0, or 1 where not a single pair could be evaluated."""
    for name, least in (("max_pairs", 1), ("pictures", 0)):
        value = getattr(args, name)
        if value is not None and value < least:
            raise ValueError(f"--{name.replace('_', '-')} must be at least {least}, got {value}")
    left_out: dict[str, str] = {}
    if args.rescore:
        scored, problems = list(score_again(args)), []
    else:
        bench = replace(bench_from(args), crew=crew_from(args, threads=1))
        scored, left_out = _evaluate_all(bench)
        problems = bench.dataset.problems()
    output.write(args, scored, left_out)
    output.report_problems(problems, scored, left_out)
    return 0 if any(one.result["pairs"] for one in scored) else 1


def _evaluate_all(bench: Bench) -> tuple[list[Scored], dict[str, str]]:
    """Results, and the reason of each category that was left out of --all-categories."""
    scored, left_out = [], {}
    with _work_folder(bench.args) as work, _progress() as progress:
        for category in categories(bench):
            try:
                scored += evaluate(bench, category, work, progress)
            except (ValueError, OSError) as error:
                if bench.args.category:
                    raise
                left_out[category] = str(error)
    return scored, left_out


@contextmanager
def _work_folder(args: argparse.Namespace) -> Iterator[Path]:
    if args.work:
        yield args.work
    elif args.json:
        yield args.json.with_name(f"{args.json.stem}_predictions")
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))
