"""Weights of published models: which there are, fetch them (the only verb that downloads), check them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from semcorr_ros import weights
from semcorr_ros.cli._options.weights import WeightsOptions
from semcorr_ros.storage import write_json


def run(options: WeightsOptions) -> int:
    """List, fetch or check; return 1 for a file that is missing or damaged. Raises ValueError, OSError or
    ImportError."""
    if options.action == "list":
        content, status = _list(), 0
    else:
        folders = _fetch(options) if options.action == "fetch" else _to_check(options)
        content = {name: _reports(name, folder) for name, folder in folders.items()}
        status = _print_reports(content)
    if options.json:
        write_json(options.json, content)
    return status


def _list() -> dict[str, Any]:
    table = Table()
    table.add_column("name", no_wrap=True)  # to be copied
    for title in ("size", "here", "licence"):
        table.add_column(title)
    content = {}
    for name, entry in weights.models().items():
        folder = weights.folder_of(entry)
        licence = entry.licence + (" (gated)" if entry.gated else "")
        table.add_row(name, weights.size_text(entry.bytes), "yes" if folder else "", licence)
        content[name] = dataclasses.asdict(entry) | {"folder": None if folder is None else str(folder)}
    Console().print(table)
    print(f"gated: {weights.ACCESS}")
    return content


def _fetch(options: WeightsOptions) -> dict[str, Path]:
    entries = [
        weights.model(name) for name in options.names
    ]  # a wrong name is told before anything is fetched
    found = {}
    for entry in entries:
        print(
            f"{entry.name}: {entry.id} at {entry.revision}, {weights.size_text(entry.bytes)}, {entry.licence}"
        )
        if entry.note:
            print(f"{entry.name}: {entry.note}")
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, console=Console(stderr=True), disable=not entry.is_file) as bar:
            task = bar.add_task(entry.name, total=entry.bytes)

            def advance(done: int, total: int, bar: Progress = bar, task: Any = task) -> None:
                bar.update(task, completed=done, total=total or None)

            folder = options.folder and options.folder / entry.name
            found[entry.name] = weights.download(entry, folder, advance)
    return found


def _to_check(options: WeightsOptions) -> dict[str, Path]:
    found = {}
    for name in options.names or weights.models():
        entry = weights.model(name)
        folder = options.folder / name if options.folder else weights.folder_of(entry)
        if folder is not None and folder.is_dir():
            found[name] = folder
        elif options.names:
            weights.find(name, folder or "")  # raises: says where it is published
    if not found:
        print("no weights of the manifest are on this machine")
    return found


def _reports(name: str, folder: Path) -> dict[str, Any]:
    files = [dataclasses.asdict(report) for report in weights.check(weights.model(name), folder)]
    return {"folder": str(folder), "ok": not any(file["problem"] for file in files), "files": files}


def _print_reports(content: dict[str, Any]) -> int:
    for name, report in content.items():
        print(f"{name}: {'ok' if report['ok'] else 'BAD'}, {report['folder']}")
        for file in report["files"]:
            print(f"  {file['path']}: {file['problem'] or 'ok'} ({file['checked']})")
    return int(not all(report["ok"] for report in content.values()))
