"""Results to tables: what filters keep, and what adapters trained on it are worth."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean
from typing import Any

from benchmark.mesh_prior.labels import comparable

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)  # recalls that filters are compared at


def text(result: dict[str, Any]) -> str:
    """Markdown of all there is so far."""
    parts = [filters(result["filters"])] if result["filters"] else []
    parts += [scores(result["rows"])] if result["rows"] else []
    spent = ", ".join(f"{name} {value:.0f} s" for name, value in result["seconds"].items())
    return "\n\n".join([*parts, f"Meshes to labels: {spent}"]) + "\n"


def filters(rows: Sequence[dict[str, Any]]) -> str:
    """Best precision of each filter at a recall or more, percent, by category."""
    head = ["category", "filter", *(f"recall {100 * share:.0f}" for share in SHARES)]
    lines = [head, ["---", "---", *["---:"] * len(SHARES)]]
    for category in dict.fromkeys(one["category"] for one in rows):
        own = [one for one in rows if one["category"] == category]
        for name in dict.fromkeys(one["filter"] for one in own):
            found = [comparable(own, name, share) for share in SHARES]
            cells = ["-" if one is None else f"{100 * one['precision']:.1f}" for one in found]
            lines.append([category, name, *cells])
    return _table(lines)


def scores(rows: Sequence[dict[str, Any]]) -> str:
    """Means over categories, percent."""
    lines = [["row", "method", "matches", "PCK@0.1", "PCK@0.05", "geo-aware"], ["---", "---", *["---:"] * 4]]
    for row, method in dict.fromkeys((one["row"], one["method"]) for one in rows):
        own = [one for one in rows if (one["row"], one["method"]) == (row, method)]
        cells = [_mean([one[key] for one in own]) for key in ("pck", "pck_05", "geo")]
        lines.append([row, method, str(own[0].get("matches", "")), *cells])
    return _table(lines)


def _mean(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{100 * mean(known):.1f}" if known else "-"


def _table(lines: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
