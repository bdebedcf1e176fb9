"""Measure PCK, PCK-dagger and KAP of one or several methods on the pairs of a data set."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from semcorr_ros.cli import _evaluation_output as output
from semcorr_ros.cli._crew import crew_from
from semcorr_ros.cli._evaluation import Bench, Scored, bench_from, categories, evaluate, score_again
from semcorr_ros.cli._options.evaluate import EvaluateOptions
from semcorr_ros.cli._progress import counted


def run(options: EvaluateOptions) -> int:
    """Evaluate and write the reports; return 1 where not a single pair could be evaluated."""
    left_out: dict[str, str] = {}
    if options.output.rescore:
        scored, problems = list(score_again(options)), []
    else:
        bench = replace(
            bench_from(options), crew=crew_from(options.workers, options.sources.compute, threads=1)
        )
        scored, left_out = _evaluate_all(bench)
        problems = bench.dataset.problems()
    output.write(options, scored, left_out)
    output.report_problems(problems, scored, left_out)
    return 0 if any(one.result["pairs"] for one in scored) else 1


def _evaluate_all(bench: Bench) -> tuple[list[Scored], dict[str, str]]:
    """Return the results, and the reason of each category that was left out of --all-categories."""
    scored, left_out = [], {}
    with _work_folder(bench.options) as work, counted() as progress:
        for category in categories(bench):
            try:
                scored += evaluate(bench, category, work, progress)
            except (ValueError, OSError) as error:
                if bench.options.which.category:
                    raise
                left_out[category] = str(error)
    return scored, left_out


@contextmanager
def _work_folder(options: EvaluateOptions) -> Iterator[Path]:
    if options.output.work:
        yield options.output.work
    elif options.output.json:
        yield options.output.json.with_name(f"{options.output.json.stem}_predictions")
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
