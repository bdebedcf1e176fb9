"""What `evaluate` leaves behind: JSON, Markdown, HTML, and a word about what was skipped."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from semcorr_ros.cli._evaluation import Scored
from semcorr_ros.cli._options.evaluate import EvaluateOptions
from semcorr_ros.evaluation import tables
from semcorr_ros.storage import atomic_path, write_json
from semcorr_ros.visualization.report_examples import extremes
from semcorr_ros.visualization.report_page import Chapter, write_report

SHOWN_PROBLEMS = 5


def write(options: EvaluateOptions, scored: Sequence[Scored], left_out: Mapping[str, str]) -> None:
    """Print the tables and write the files that were asked for."""
    results = [one.result for one in scored]
    means: list[dict[str, Any]] = []
    pooled: list[dict[str, Any]] = []
    if options.which.all_categories and results:
        methods = dict.fromkeys(result["method"] for result in results)
        means = [tables.macro_mean(results, method) for method in methods]
        pooled = [tables.pooled(results, method) for method in methods]
    if options.output.json:
        write_json(options.output.json, _content(options, results, means, pooled, left_out))
    every = [*results, *means, *pooled]
    numbers = [tables.header(every), *map(tables.cells, every)]
    breakdown = tables.breakdown_rows(pooled or results)
    text = tables.markdown(numbers)
    if breakdown:
        text += f"\n\nPCK@{tables.ALPHA} by kind of pair\n\n{tables.markdown(breakdown)}"
    print(text)
    if options.output.markdown:
        with atomic_path(options.output.markdown) as temporary:
            temporary.write_text(text + "\n" + _details(results if pooled else []))
    if options.output.html:
        settings = {
            "data": f"{options.dataset.dataset}, split {options.what.split}",
            "methods": ", ".join(dict.fromkeys(result["method"] for result in results)),
            "threshold": options.protocol.threshold,
            "cells of KAP": options.protocol.kap_grid,
        }
        chapters = [_chapter(one, options.output.pictures) for one in scored if one.result["pairs"]]
        write_report(options.output.html, settings, numbers, breakdown, chapters)


def report_problems(problems: Sequence[str], results: Sequence[Scored], left_out: Mapping[str, str]) -> None:
    """Print the first few reasons to stderr."""
    reasons = dict.fromkeys(item["reason"] for one in results for item in one.result["skipped"])
    lines = [*(f"{name}: {reason}" for name, reason in left_out.items()), *problems, *reasons]
    for line in lines[:SHOWN_PROBLEMS]:
        print(f"skipped: {line}", file=sys.stderr)
    if len(lines) > SHOWN_PROBLEMS:
        print(f"... and {len(lines) - SHOWN_PROBLEMS} more", file=sys.stderr)


def _content(
    options: EvaluateOptions,
    results: list[dict[str, Any]],
    means: list[dict[str, Any]],
    pooled: list[dict[str, Any]],
    left_out: Mapping[str, str],
) -> Any:
    if options.which.all_categories:
        skipped = [{"category": name, "reason": reason} for name, reason in left_out.items()]
        return {"results": results, "mean": means, "all_pairs": pooled, "skipped": skipped}
    return results if len(results) > 1 else results[0]


def _details(results: Sequence[tables.Result]) -> str:
    """Format the breakdown of every category, one table each."""
    texts = []
    for category in dict.fromkeys(result["category"] for result in results):
        rows = tables.breakdown_rows([result for result in results if result["category"] == category])
        if rows:
            texts.append(f"\n{category}: PCK@{tables.ALPHA} by kind of pair\n\n{tables.markdown(rows)}\n")
    return "".join(texts)


def _chapter(scored: Scored, pictures: int) -> Chapter:
    examples = extremes(scored.pairs, scored.journal, scored.protocol, scored.keypoint_names, pictures)
    return Chapter(scored.title, tables.breakdown_rows([scored.result]), examples)
