"""Rows of results to a table: means over categories, and how much training seeds differ."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, stdev
from typing import Any

MEASURES = {"pck": "PCK@0.1", "kap": "KAP@0.1", "geo": "geo-aware"}


def table(results: Sequence[dict[str, Any]]) -> str:
    """Markdown: a line per row and way of matching, a column per measure, then KAP by category."""
    categories = list(dict.fromkeys(one["category"] for one in results))
    head = ["row", "matched by", "seeds", *MEASURES.values(), *(f"KAP {name}" for name in categories)]
    lines = [head, ["---", "---", *["---:"] * (len(head) - 2)]]
    for row, match in dict.fromkeys((one["row"], one["match"]) for one in results):
        own = [one for one in results if (one["row"], one["match"]) == (row, match)]
        seeds = sorted({one["seed"] for one in own})
        cells = [row, match, str(len(seeds)), *(_over_seeds(own, seeds, name) for name in MEASURES)]
        cells += [_percent([one["kap"] for one in own if one["category"] == name]) for name in categories]
        lines.append(cells)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def alignment_table(found: Sequence[dict[str, Any]]) -> str:
    """Markdown: a line per category, outline and kind of features."""
    head = ["category", "outlines", "features", "images", "turned > 25 deg", "> 90", "own keypoints PCK@0.1"]
    lines = [head, ["---", "---", "---", *["---:"] * 4]]
    for one in found:
        counts = (str(one[name]) for name in ("images", "turned", "back"))
        lines.append([one["category"], one["outlines"], one["features"], *counts, _percent([one["pck"]])])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _over_seeds(own: Sequence[dict[str, Any]], seeds: Sequence[int], name: str) -> str:
    means = []
    for seed in seeds:
        values = [one[name] for one in own if one["seed"] == seed and one[name] is not None]
        if values:
            means.append(100 * mean(values))
    if not means:
        return "-"
    spread = f" ± {stdev(means):.1f}" if len(means) > 1 else ""
    return f"{mean(means):.1f}{spread}"


def _percent(values: Sequence[float]) -> str:
    return f"{100 * mean(values):.1f}" if values else "-"
