"""An evaluation as one HTML file: tables, breakdowns, and pictures inside the file."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from PIL import Image

from semcorr_ros.evaluation.tables import HEADER, row_cells
from semcorr_ros.storage import atomic_path
from semcorr_ros.visualization.report_examples import Example

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 72em; color: #222; }
table { border-collapse: collapse; margin: 1em 0; }
td, th { padding: .25em .8em; border-bottom: 1px solid #ddd; text-align: right; }
td:first-child, td:nth-child(2), th:first-child, th:nth-child(2) { text-align: left; }
figure { margin: 1.5em 0; } img { max-width: 100%; } figcaption { color: #555; }
"""


def write_report(
    path: Path,
    results: Sequence[Mapping[str, Any]],
    breakdowns: Mapping[str, Sequence[Sequence[str]]],
    examples: Sequence[Example],
) -> None:
    """Write the page, atomically. Needs no other file and no network to be read."""
    parts = [f"<h1>Evaluation</h1>{_table(HEADER, [row_cells(result) for result in results])}"]
    for flag, (header, *rows) in breakdowns.items():
        parts.append(f"<h2>PCK@0.1 by {escape(flag.replace('_', ' '))} (pairs)</h2>{_table(header, rows)}")
    if examples:
        parts.append("<h2>Worst and best pairs</h2><p>White crosses are the truth.</p>")
    parts += map(_figure, examples)
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Evaluation</title>'
        f"<style>{STYLE}</style><body>{''.join(parts)}</body></html>\n"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        temporary.write_text(page)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _figure(example: Example) -> str:
    buffer = io.BytesIO()
    Image.fromarray(example.picture.numpy()).save(buffer, "JPEG", quality=85)
    data = base64.b64encode(buffer.getvalue()).decode()
    caption = escape(example.title)
    image = f'<img alt="{caption}" src="data:image/jpeg;base64,{data}">'
    return f"<figure>{image}<figcaption>{caption}</figcaption></figure>"
