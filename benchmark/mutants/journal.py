"""What became of every mutant, line by line on disk: a run that was ended goes on where it was."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

KILLED = ("failed", "timeout")


@dataclass(frozen=True)
class Fate:
    """Of one mutant."""

    package: str
    key: str
    line: int
    fate: str  # "failed", "timeout": killed; "passed": survived; "not run": no test runs the line
    tests: int  # asked
    seconds: float
    version: str  # of its file; survivors also depend on the tests
    tests_version: str

    @property
    def killed(self) -> bool:
        return self.fate in KILLED


class Journal:
    """Appends to a file, one JSON object a line; the last word about a mutant holds."""

    def __init__(self, path: Path):
        self.path = path
        lines = path.read_text().splitlines() if path.exists() else []
        self.fates = {fate.key: fate for fate in (Fate(**json.loads(line)) for line in lines)}

    def known(self, key: str, version: str, tests_version: str) -> Fate | None:
        """Return what is known and still holds: more tests do not bring a mutant back to life."""
        fate = self.fates.get(key)
        if fate is None or fate.version != version:
            return None
        return fate if fate.killed or fate.tests_version == tests_version else None

    def add(self, fate: Fate) -> None:
        """Note a fate at once."""
        self.fates[fate.key] = fate
        with self.path.open("a") as file:
            file.write(json.dumps(asdict(fate)) + "\n")
