"""Tables of evaluation results: Markdown, and the macro mean over categories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MEAN = "mean"
HEADER = (
    "category",
    "method",
    "pairs",
    "PCK@0.1",
    "@0.05",
    "@0.01",
    "per keypoint",
    "dagger",
    "KAP",
    "geo-aware",
    "s/image",
)


def macro_mean(results: Sequence[Mapping[str, Any]], method: str) -> dict[str, Any]:
    """Unweighted mean over the categories of one method; each category counts once.

    A number that some category lacks is None: a mean over different categories cannot be compared.
    """
    rows = [result for result in results if result["method"] == method]
    mean: dict[str, Any] = {"category": MEAN, "method": method, "split": rows[0]["split"]}
    for count in ("pairs", "keypoints"):
        mean[count] = sum(row[count] for row in rows)
    for group in ("pck", "pck_dagger", "kap", "geo_aware", "seconds_per_image"):
        if all(group in row for row in rows):
            mean[group] = _mean([row[group] for row in rows])
    return mean


def markdown(results: Sequence[Mapping[str, Any]]) -> str:
    """One row per category and method; PCK in percent, per image unless the column says otherwise."""
    lines = [_line(HEADER), _line(["---"] * len(HEADER))]
    return "\n".join(lines + [_line(row_cells(result)) for result in results])


def breakdown_rows(results: Sequence[Mapping[str, Any]]) -> dict[str, list[list[str]]]:
    """By flag: a header, then one row per category and method with PCK@0.1 (pairs) of every level."""
    flags = dict.fromkeys(flag for result in results for flag in result.get("breakdown", {}))
    tables = {}
    for flag in flags:
        rows = [result for result in results if flag in result.get("breakdown", {})]
        levels = sorted({level for row in rows for level in row["breakdown"][flag]}, key=int)
        tables[flag] = [["category", "method", *levels]]
        for row in rows:
            found = [row["breakdown"][flag].get(level) for level in levels]
            cells = ["-" if part is None else f"{_percent(part['pck'])} ({part['pairs']})" for part in found]
            tables[flag].append([row["category"], row["method"], *cells])
    return tables


def breakdown_tables(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """`breakdown_rows` in Markdown, each with its title."""
    texts = []
    for flag, (header, *rows) in breakdown_rows(results).items():
        lines = [_line(header), _line(["---"] * len(header)), *map(_line, rows)]
        texts.append(f"PCK@0.1 by {flag.replace('_', ' ')} (pairs)\n\n" + "\n".join(lines))
    return texts


def row_cells(result: Mapping[str, Any]) -> list[str]:
    image = result["pck"]["per_image"]
    seconds = result["seconds_per_image"]
    return [
        result["category"],
        result["method"],
        str(result["pairs"]),
        *(_percent(image[alpha]) for alpha in ("0.1", "0.05", "0.01")),
        _percent(result["pck"]["per_keypoint"]["0.1"]),
        _percent(result["pck_dagger"]["0.1"]),
        _percent(result.get("kap", {}).get("0.1")),
        _percent(result.get("geo_aware", {}).get("per_image", {}).get("0.1")),
        "-" if seconds is None else f"{seconds:.3f}",
    ]


def _mean(values: list[Any]) -> Any:
    if isinstance(values[0], Mapping):
        return {key: _mean([value[key] for value in values]) for key in values[0]}
    return None if None in values else sum(values) / len(values)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
