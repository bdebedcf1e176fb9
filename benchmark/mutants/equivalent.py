"""Mutants that no test can tell from the original, each with the reason: equivalent.yaml."""

from __future__ import annotations

from pathlib import Path

import yaml

from benchmark.mutants.operators import Mutant

FILE = Path(__file__).with_suffix(".yaml")
FIELDS = {"file", "line", "before", "after", "reason"}


class Equivalents:
    """Reads the list. `line`: of the source, without its indentation; `before` and `after`: what differs.

    A list under `after` holds several. Raises ValueError for an entry without a field or a reason.
    """

    def __init__(self, path: Path = FILE):
        self.reasons: dict[tuple[str, str, str, str], str] = {}
        for entry in yaml.safe_load(path.read_text()) or []:
            if set(entry) != FIELDS or not str(entry["reason"]).strip():
                raise ValueError(f"{path.name}: {entry} must have {', '.join(sorted(FIELDS))}")
            several = entry["after"] if isinstance(entry["after"], list) else [entry["after"]]
            for after in several:
                place = entry["file"], entry["line"], str(entry["before"]), str(after)
                self.reasons[place] = entry["reason"]

    def reason(self, mutant: Mutant) -> str | None:
        """Return why it changes nothing, if it does not."""
        return self.reasons.get((mutant.path, mutant.context, mutant.before, mutant.after))
