"""One stage over the images of a category: a file each, kept where it is valid; the batch goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from semcorr_ros.workers import FAILURES, Crew, Failed, Job, attempt


@dataclass(frozen=True)
class Skipped:
    """An image that a stage has no file of."""

    name: str
    reason: str


@dataclass
class StageReport:
    """What became of the images of a stage, each list sorted by name."""

    stage: str
    made: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)  # were there from an earlier run
    skipped: list[Skipped] = field(default_factory=list)

    @property
    def done(self) -> list[str]:
        """List the images that have a file now."""
        return sorted([*self.made, *self.kept])


def each_image(
    stage: str,
    names: Sequence[str],
    is_valid: Callable[[str], object],
    jobs: Mapping[str, Job],
    crew: Crew | None = None,
    tick: Callable[[], object] = lambda: None,
) -> StageReport:
    """Run the job of every image whose file is missing or not valid, in any order; nothing else is touched.

    is_valid: reads the file of an image; raises one of FAILURES, or returns False, where it must be made.
    jobs: one per name, each writes its file atomically, and depends on nothing but its own input: whatever
    was killed gives the same bytes when it is resumed. crew: who runs them (jobs must then be picklable);
    None: this process. An image whose job fails is named with its reason; it is tried again on the next run.
    """
    report = StageReport(stage)
    todo: dict[str, Job] = {}
    for name in names:
        if _valid(is_valid, name):
            report.kept.append(name)
            tick()
        else:
            todo[name] = jobs[name]
    outcomes = ((name, attempt(job)) for name, job in todo.items()) if crew is None else crew.run(todo)
    for name, outcome in outcomes:
        if isinstance(outcome, Failed):
            report.skipped.append(Skipped(name, outcome.reason))
        else:
            report.made.append(name)
        tick()
    report.made.sort()
    report.skipped.sort(key=lambda one: one.name)
    return report


def _valid(is_valid: Callable[[str], object], name: str) -> bool:
    try:
        return is_valid(name) is not False
    except FAILURES:
        return False


def jobs_of(names: Sequence[str], job: Callable[[str], Any]) -> dict[str, Job]:
    """Make one job per image from a picklable function of its name."""
    return {name: partial(job, name) for name in names}
