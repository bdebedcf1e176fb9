"""Progress bars on stderr, and progress in a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from semcorr_ros.storage import write_json


def counted() -> Progress:
    """Make a bar that shows count, total and remaining time."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))


def told_to(file: Path | None) -> Callable[[str, float], None]:
    """Make a function that writes a stage and the share in [0, 1] that is done to a file.

    Without a file it writes nothing.
    """

    def tell(stage: str, share: float) -> None:
        if file is not None:
            write_json(file, {"stage": stage, "share": round(share, 4)})

    return tell
