"""An evaluation as one HTML file: tables, breakdowns, and pictures inside the file."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from PIL import Image

from semcorr_ros.evaluation.tables import MEAN, POOLED
from semcorr_ros.storage import atomic_path
from semcorr_ros.visualization.report_examples import Example

Rows = Sequence[Sequence[str]]  # the first one is the header

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; }
body { margin: 2em auto; max-width: 1240px; padding: 0 1em; }
h1 { margin-bottom: 0; } p.about, figcaption { color: #555; } h2 { margin-top: 2em; }
table { border-collapse: collapse; margin: 1em 0; font-variant-numeric: tabular-nums; }
td, th { padding: .2em .8em; border-bottom: 1px solid #ddd; text-align: right; }
th { background: #f4f4f6; } td.text, th.text { text-align: left; } tr.mean td { font-weight: 600; }
tr.new td { border-top: 2px solid #999; }
figure { margin: 1em 0 1.6em; } img { width: 100%; border-radius: 4px; }
.worst { color: #b3261e; font-weight: 600; } .best { color: #1b7f3b; font-weight: 600; }
summary { cursor: pointer; font-weight: 600; padding: .4em 0; }
"""
LEGEND = """PCK in percent: the share of keypoints nearer to their true place than the given fraction of
the {size}. It is the mean over pairs, except in the column <i>per keypoint</i> (all keypoints together).
<i>Dagger</i>: no other keypoint may be nearer to the answer. <i>KAP</i>: average precision of knowing where
a keypoint is and that it is not there. <i>Geo-aware</i>: only keypoints with a look-alike in the target.
Columns that name no fraction are at 0.1. Row <i>mean</i>: each category counts once; <i>all pairs</i>: each
pair counts once."""
PICTURES = """A white cross is the true place; the line from the answer to it is green where the answer is
right at 0.1 and red where it is wrong. Only wrong keypoints are named."""


@dataclass(frozen=True)
class Chapter:
    """The pictures and the breakdown of one category and method."""

    title: str
    breakdown: Rows
    examples: Sequence[Example]


def write_report(
    path: Path, about: Mapping[str, str], results: Rows, breakdown: Rows, chapters: Sequence[Chapter]
) -> None:
    """Write the page, atomically; a single file that needs no network.

    about: settings to show, "threshold" among them.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(page(about, results, breakdown, chapters), encoding="utf-8")


def page(about: Mapping[str, str], results: Rows, breakdown: Rows, chapters: Sequence[Chapter]) -> str:
    """Build the HTML of `write_report`."""
    size = "larger side of the target's " + ("box" if about["threshold"] == "bbox" else "image")
    settings = " · ".join(f"{escape(name)}: {escape(value)}" for name, value in about.items())
    parts = [f'<h1>Evaluation</h1><p class="about">{settings}</p>', _table(results)]
    parts.append(f'<p class="about">{LEGEND.format(size=size)}</p>')
    if breakdown:
        parts.append(f"<h2>By kind of pair</h2><p>PCK@0.1 in percent, per image.</p>{_table(breakdown)}")
    if chapters:
        parts.append(f'<h2>Worst and best pairs</h2><p class="about">{PICTURES}</p>')
    parts += [_chapter(chapter, opened=i == 0) for i, chapter in enumerate(chapters)]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Evaluation</title>'
        f"<style>{STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def _chapter(chapter: Chapter, opened: bool) -> str:
    figures = "".join(map(_figure, chapter.examples))
    table = _table(chapter.breakdown) if chapter.breakdown else ""
    state = " open" if opened else ""
    return f"<details{state}><summary>{escape(chapter.title)}</summary>{figures}{table}</details>"


def _table(rows: Rows) -> str:
    head, *body = rows
    text = [not all(row[i][:1].isdigit() or row[i] == "-" for row in body) for i in range(len(head))]
    lines = [_row(head, text, "th", "")]
    for before, row in zip([head, *body], body, strict=False):
        kinds = ["mean"] if row[0] in (MEAN, POOLED) else []
        kinds += ["new"] if row[0] != before[0] and before is not head else []
        lines.append(_row(row, text, "td", " ".join(kinds)))
    return f"<table>{''.join(lines)}</table>"


def _row(row: Sequence[str], text: Sequence[bool], tag: str, kind: str) -> str:
    cells = "".join(
        f"<{tag}{' class=text' if left else ''}>{escape(cell)}</{tag}>"
        for cell, left in zip(row, text, strict=True)
    )
    return f'<tr class="{kind}">{cells}</tr>' if kind else f"<tr>{cells}</tr>"


def _figure(example: Example) -> str:
    buffer = io.BytesIO()
    Image.fromarray(example.picture.numpy()).save(buffer, "JPEG", quality=82)
    data = base64.b64encode(buffer.getvalue()).decode()
    caption = escape(example.caption)
    image = f'<img alt="{caption}" src="data:image/jpeg;base64,{data}">'
    kind = f'<span class="{example.kind}">{example.kind}</span>'
    return f"<figure><figcaption>{kind}: {caption}</figcaption>{image}</figure>"
