"""The build report: what was used, what was skipped and why, how long each stage took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

Progress = Callable[[str, float], None]  # stage name, fraction of the whole build that is done


@dataclass
class Report:
    """Collects while the build runs; `content` is what goes into the JSON file."""

    progress: Progress | None = None
    skipped: list[dict[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    def skip(self, name: str, reason: object) -> None:
        """Note an image that is left out."""
        self.skipped.append({"name": name, "reason": str(reason)})

    def warn(self, sentence: str) -> None:
        """Note something the user should know that did not stop the build."""
        self.warnings.append(sentence)

    @contextmanager
    def stage(self, name: str, done: float) -> Iterator[None]:
        """Time a stage; `done` is the fraction of the build that is finished before it."""
        if self.progress is not None:
            self.progress(name, done)
        start = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - start, 3)

    def content(self) -> dict[str, Any]:
        """Return the report as JSON-ready values."""
        return {
            "seconds": self.seconds | {"total": round(sum(self.seconds.values()), 3)},
            "skipped": self.skipped,
            "warnings": self.warnings,
            **self.facts,
        }
