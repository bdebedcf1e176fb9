"""Measure PCK, PCK-dagger and KAP of one or several methods on the pairs of a data set."""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from semcorr_ros import plugins
from semcorr_ros.alignment import Config
from semcorr_ros.artifacts import ClassRepresentation
from semcorr_ros.cli import _data_arguments as data
from semcorr_ros.cli._alignment_arguments import add_alignment_arguments, alignment_from
from semcorr_ros.datasets import Dataset
from semcorr_ros.evaluation import predict, tables
from semcorr_ros.evaluation.align_ahead import align_ahead
from semcorr_ros.evaluation.geo_aware import groups
from semcorr_ros.evaluation.journal import open_journal
from semcorr_ros.evaluation.score import THRESHOLDS, Protocol, pair_scores, score
from semcorr_ros.evaluation.views import Setup
from semcorr_ros.observations import Providers
from semcorr_ros.representation.class_file import read_class
from semcorr_ros.storage import atomic_path, write_json
from semcorr_ros.visualization import report_examples
from semcorr_ros.visualization.report_examples import Example
from semcorr_ros.visualization.report_page import write_report

LOG = logging.getLogger(__name__)
SHOWN_FAILURES = 5


@dataclass(frozen=True)
class Bench:
    """What all categories and methods of one call share."""

    args: argparse.Namespace
    methods: dict[str, ModuleType]
    dataset: Dataset
    providers: Providers


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
        choices=plugins.available("matching"),
        help="may be given several times (default: aligned)",
    )
    add_alignment_arguments(parser)
    parser.add_argument("--max-pairs", type=int, metavar="N", help="a random subset of this many pairs")
    parser.add_argument(
        "--seed", type=int, default=0, help="of the subset and of the alignments (default: 0)"
    )
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N", help="processes that align (default: 1)"
    )
    parser.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="result here: an object; with several methods a list; with --all-categories"
        ' {"results": [...], "mean": [one per method], "skipped": [...]}',
    )
    parser.add_argument(
        "--threshold", choices=THRESHOLDS, default="bbox", help="alpha is a share of this (default: bbox)"
    )
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="the printed tables here")
    parser.add_argument("--html", type=Path, metavar="FILE", help="tables and the best and worst pairs here")
    parser.add_argument(
        "--work",
        type=Path,
        metavar="DIR",
        help="predictions and alignments, resumed if nothing relevant changed"
        " (default: <json>_predictions/, without --json a temporary folder)",
    )


def run(args: argparse.Namespace) -> int:
    """Returns 0, or 1 where not a single pair could be evaluated."""
    if args.max_pairs is not None and args.max_pairs < 1:
        raise ValueError(f"--max-pairs must be at least 1, got {args.max_pairs}")
    if args.workers < 1:
        raise ValueError(f"--workers must be at least 1, got {args.workers}")
    bench = _bench(args)
    examples: list[Example] = []
    results, left_out = _evaluate_all(bench, examples)
    means: list[dict[str, Any]] = []
    if args.all_categories and results:
        means = [tables.macro_mean(results, name) for name in bench.methods]
    if args.json:
        write_json(args.json, _content(args, results, means, left_out))
    table = tables.markdown([*results, *means])
    text = "\n\n".join([table, *tables.breakdown_tables(results)])
    if args.markdown:
        with atomic_path(args.markdown) as temporary:
            temporary.write_text(text + "\n")
    if args.html:
        write_report(args.html, [*results, *means], tables.breakdown_rows(results), examples)
    print(text)
    _report_problems(bench.dataset, results, left_out)
    return 0 if any(result["pairs"] for result in results) else 1


def _evaluate_all(bench: Bench, examples: list[Example]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Results, and the reason of each category that was left out of --all-categories."""
    results, left_out = [], {}
    with _work_folder(bench.args) as work, _progress() as progress:
        for category in _categories(bench):
            try:
                results += _evaluate(bench, category, work, progress, examples)
            except (ValueError, OSError) as error:
                if bench.args.category:
                    raise
                left_out[category] = str(error)
    return results, left_out


def _bench(args: argparse.Namespace) -> Bench:
    methods = {name: plugins.load("matching", name) for name in args.method or ["aligned"]}
    return Bench(args, methods, data.dataset_from(args), data.providers_from(args))


def _setup(bench: Bench, category: str) -> Setup:
    samples = {sample.name: sample for sample in bench.dataset.images(category, bench.args.split)}
    constants = alignment_from(bench.args, category)
    return Setup(samples, bench.providers, _model(bench, category), constants, bench.args.seed)


def _setup_elsewhere(args: argparse.Namespace, category: str) -> Setup:
    """`_setup` in another process, from what can be sent there."""
    return _setup(_bench(args), category)


def _evaluate(
    bench: Bench, category: str, work: Path, progress: Progress, examples: list[Example]
) -> list[dict[str, Any]]:
    args = bench.args
    setup = _setup(bench, category)
    pairs = bench.dataset.pairs(category, args.split)
    if not pairs:
        raise ValueError(f"{args.root} has no pairs of {category!r} in split {args.split!r}")
    chosen = {i: pairs[i] for i in predict.choose(len(pairs), args.max_pairs, args.seed)}
    key = predict.key(pairs, _settings(bench, category, setup.config))
    results = []
    protocol = Protocol(setup.samples, groups(bench.dataset.info(category)), args.threshold)
    for method, matcher in bench.methods.items():
        journal = open_journal(work / f"{category}_{method}_{key}" / "predictions.jsonl")
        if args.workers > 1 and matcher.NEEDS_ALIGNMENT:
            names = sorted({name for pair in chosen.values() for name in (pair.source, pair.target)})
            task = progress.add_task(f"{category} align", total=len(names))
            ahead = partial(_setup_elsewhere, args, category)
            align_ahead(ahead, names, journal, args.workers, partial(progress.advance, task))
        task = progress.add_task(f"{category} {method}", total=len(chosen))
        failed = predict.predict(chosen, setup, matcher, journal, partial(progress.advance, task))
        head = {"category": category, "method": method, "split": args.split}
        results.append({**head, **score(chosen, journal, protocol), "skipped": _skipped(chosen, failed)})
        if args.html:
            scores = pair_scores(chosen, journal, protocol)
            examples += report_examples.extremes(
                f"{category}, {method}", chosen, scores, journal, setup.samples
            )
    return results


def _categories(bench: Bench) -> list[str]:
    args = bench.args
    if args.category:
        return [args.category]
    if args.class_file:
        raise ValueError("--all-categories takes --class-dir, a class file is of one category")
    found = bench.dataset.categories()
    if args.class_dir:
        found = [name for name in found if (args.class_dir / f"{name}.safetensors").is_file()]
    if not found:
        raise ValueError(
            f"no <category>.safetensors of {', '.join(bench.dataset.categories())} in {args.class_dir}"
        )
    return found


def _model(bench: Bench, category: str) -> ClassRepresentation | None:
    """The class, on the device of the features; None where no method needs one and none is given."""
    path = bench.args.class_file or (
        bench.args.class_dir and bench.args.class_dir / f"{category}.safetensors"
    )
    if path is None:
        needy = [name for name, matcher in bench.methods.items() if matcher.NEEDS_ALIGNMENT]
        if needy:
            raise ValueError(f"method {needy[0]!r} needs --class-file or --class-dir; see build_class")
        return None
    model = read_class(path, data.device_from(bench.args))
    backbone = bench.providers.features.backbone
    if model.backbone != backbone:
        raise ValueError(
            f"{path} was built on backbone {model.backbone!r} but the images would be encoded by"
            f" {backbone!r}; use the same backbone or rebuild the class"
        )
    if model.info.name != category:
        LOG.warning("%s is the class %r, used for images of %r", path, model.info.name, category)
    return model


def _settings(bench: Bench, category: str, constants: Config) -> dict[str, Any]:
    """What a prediction depends on besides the pairs and the code."""
    args = bench.args
    path = args.class_file or (args.class_dir and args.class_dir / f"{category}.safetensors")
    names = ("features_dir", "weights", "depth", "depth_dir", "depth_kind", "masks", "masks_dir", "seed")
    return {
        **{name: getattr(args, name) for name in names},
        "root": args.root.resolve(),
        "backbone": bench.providers.features.backbone,
        "class": path.read_bytes() if path else None,
        "alignment": constants,
    }


def _skipped(chosen: dict[int, Any], failed: dict[int, str]) -> list[dict[str, str]]:
    return [
        {"source": chosen[i].source, "target": chosen[i].target, "reason": reason}
        for i, reason in failed.items()
    ]


def _content(args: argparse.Namespace, results: list[Any], means: list[Any], left_out: dict[str, str]) -> Any:
    if args.all_categories:
        skipped = [{"category": name, "reason": reason} for name, reason in left_out.items()]
        return {"results": results, "mean": means, "skipped": skipped}
    return results if len(results) > 1 else results[0]


def _report_problems(dataset: Dataset, results: list[dict[str, Any]], left_out: dict[str, str]) -> None:
    reasons = dict.fromkeys(item["reason"] for result in results for item in result["skipped"])
    lines = [*(f"{name}: {reason}" for name, reason in left_out.items()), *dataset.problems(), *reasons]
    for line in lines[:SHOWN_FAILURES]:
        print(f"skipped: {line}", file=sys.stderr)
    if len(lines) > SHOWN_FAILURES:
        print(f"... and {len(lines) - SHOWN_FAILURES} more", file=sys.stderr)


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
