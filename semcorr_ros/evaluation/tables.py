"""Tables of evaluation results: rows of text for Markdown and HTML, and means over categories."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from semcorr_ros.evaluation.breakdown import level_name

MEAN, POOLED = "mean", "all pairs"
ALPHA = "0.1"  # of the columns that show one threshold only
Result = Mapping[str, Any]  # of score.py, with category, method and split


def macro_mean(results: Sequence[Result], method: str) -> dict[str, Any]:
    """Average, unweighted, over the categories of one method; each category counts once.

    A number that some category lacks is None: a mean over different categories cannot be compared.
    """
    rows = [result for result in results if result["method"] == method]
    mean = {"category": MEAN, **_head(rows)}
    for group in ("pck", "pck_dagger", "errors", "kap", "geo_aware", "seconds_per_image"):
        if all(group in row for row in rows):
            mean[group] = _mean([row[group] for row in rows])
    if "geo_aware" in mean:
        counts = {n: sum(row["geo_aware"][n] for row in rows) for n in ("pairs", "keypoints")}
        mean["geo_aware"] |= counts
    return mean


def pooled(results: Sequence[Result], method: str) -> dict[str, Any]:
    """Pool one method over the pairs of all categories: large categories count more.

    There is no KAP of all pairs. Pairs are weighted as if each had keypoints, as in every benchmark.
    """
    rows = [result for result in results if result["method"] == method]
    every = {"category": POOLED, **_head(rows), "seconds_per_image": None}
    every["pck"] = _pooled_pck([(row, row["pck"]) for row in rows])
    every["pck_dagger"] = _weighted([(row["pairs"], row["pck_dagger"]) for row in rows])
    if geo := [(row["geo_aware"], row["geo_aware"]) for row in rows if "geo_aware" in row]:
        counts = {count: sum(part[count] for part, _ in geo) for count in ("pairs", "keypoints")}
        every["geo_aware"] = {**counts, **_pooled_pck(geo)}
    if parts := [row["breakdown"] for row in rows if "breakdown" in row]:
        every["breakdown"] = {flag: _pooled_levels(parts, flag) for flag in _flags(parts)}
    return every


def header(results: Sequence[Result]) -> list[str]:
    """Return the column names of `cells`."""
    first, *others = _alphas(results[0]) if results else (ALPHA,)
    shown = [f"PCK@{first}", *(f"@{alpha}" for alpha in others)]
    rest = ["per keypoint", "dagger", "KAP", "geo-aware", "s/image"]
    return ["category", "method", "pairs", *shown, *rest]


def cells(result: Result) -> list[str]:
    """Format one row: PCK in percent, per image unless the column says otherwise."""
    seconds = result["seconds_per_image"]
    return [
        result["category"],
        result["method"],
        str(result["pairs"]),
        *(percent(result["pck"]["per_image"][alpha]) for alpha in _alphas(result)),
        percent(result["pck"]["per_keypoint"][ALPHA]),
        percent(result["pck_dagger"][ALPHA]),
        percent(result.get("kap", {}).get(ALPHA)),
        percent(result.get("geo_aware", {}).get("per_image", {}).get(ALPHA)),
        "-" if seconds is None else f"{seconds:.3f}",
    ]


def breakdown_rows(results: Sequence[Result]) -> list[list[str]]:
    """List a header, then a row per level of every property; a column of PCK@0.1 per result."""
    parts = [result["breakdown"] for result in results if "breakdown" in result]
    if not parts:
        return []
    several = len({result["category"] for result in results}) > 1
    names = [
        f"{r['category']}, {r['method']}" if several else r["method"] for r in results if "breakdown" in r
    ]
    rows = [["pairs by", "level", "pairs", *names]]
    for flag in _flags(parts):
        for level in _levels(parts, flag):
            found = [part.get(flag, {}).get(level) for part in parts]
            count = max(f["pairs"] for f in found if f)
            numbers = [percent(f["pck"]) if f else "-" for f in found]
            rows.append([flag.replace("_", " "), level_name(flag, level), str(count), *numbers])
    return rows


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Format a table whose first row is the header; numbers are aligned to the right."""
    head, *body = rows
    numeric = [all(row[i][:1].isdigit() or row[i] == "-" for row in body) for i in range(len(head))]
    lines = [_line(head), _line(["---:" if right else "---" for right in numeric])]
    return "\n".join(lines + [_line(row) for row in body])


def percent(value: float | None) -> str:
    """Format in percent with one decimal; a dash where there is no number."""
    return "-" if value is None else f"{100 * value:.1f}"


def _head(rows: Sequence[Result]) -> dict[str, Any]:
    counts = {count: sum(row[count] for row in rows) for count in ("pairs", "keypoints")}
    same = {key: rows[0][key] for key in ("method", "split", "threshold") if key in rows[0]}
    return {**same, **counts}


def _alphas(result: Result) -> list[str]:
    return list(result["pck"]["per_image"])


def _flags(parts: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(flag for part in parts for flag in part))


def _levels(parts: Iterable[Mapping[str, Any]], flag: str) -> list[str]:
    return sorted({level for part in parts for level in part.get(flag, {})}, key=int)


def _pooled_pck(parts: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> dict[str, Any]:
    """Pool (counts, pck) of each category."""
    return {
        "per_image": _weighted([(counts["pairs"], found["per_image"]) for counts, found in parts]),
        "per_keypoint": _weighted([(counts["keypoints"], found["per_keypoint"]) for counts, found in parts]),
    }


def _pooled_levels(parts: Sequence[Mapping[str, Any]], flag: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for level in _levels(parts, flag):
        of_level = [part[flag][level] for part in parts if level in part.get(flag, {})]
        weighted = _weighted([(one["pairs"], {"pck": one["pck"]}) for one in of_level])
        found[level] = {"pairs": sum(one["pairs"] for one in of_level), **weighted}
    return found


def _weighted(parts: Sequence[tuple[int, Mapping[str, float | None]]]) -> dict[str, float | None]:
    """Average by key; undefined values have no weight."""
    means: dict[str, float | None] = {}
    for key in parts[0][1]:
        known = [(weight, value) for weight, part in parts if (value := part[key]) is not None]
        total = sum(weight for weight, _ in known)
        means[key] = sum(weight * value for weight, value in known) / total if total else None
    return means


def _mean(values: list[Any]) -> Any:
    if isinstance(values[0], Mapping):
        return {key: _mean([value[key] for value in values]) for key in values[0]}
    return None if None in values else sum(values) / len(values)


def _line(row: Sequence[str]) -> str:
    return "| " + " | ".join(row) + " |"
