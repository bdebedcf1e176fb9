"""One reader against many damaged files."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.readers.damage import damaged_bytes, damaged_json
from benchmark.readers.subjects import Subject
from semcorr_ros.refusal import Refusal

REFUSALS = (ValueError, FileNotFoundError, Refusal)


@dataclass
class Count:
    """How many files were read rightly, refused, answered wrongly, or ended in a traceback."""

    right: int = 0
    refused: int = 0
    wrong: list[str] = field(default_factory=list)
    crashes: list[Exception] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """Return the counts, and the first of what went wrong."""
        crashes = [f"{type(error).__name__}: {error}" for error in self.crashes]
        return {"right": self.right, "refused": self.refused, "wrong": self.wrong, "crashes": crashes}

    def told(self) -> str:
        """Write the counts as a line, and the first wrong answers below it."""
        bad = f"{len(self.wrong)} wrong, {len(self.crashes)} tracebacks"
        line = f"{self.right} read, {self.refused} refused, {bad}"
        return "\n  ".join([line, *self.wrong[:3]])


def trial(subject: Subject, folder: Path, files: int, seed: int) -> Count:
    """Damage and read `files` files, the same ones for a seed."""
    rng, count = np.random.default_rng(seed), Count()
    path = subject.write(folder)
    whole = path.read_bytes()
    assert subject.check(folder) == "", "the undamaged file is not read"
    for _ in range(files):
        if subject.is_json and rng.random() < 0.7:
            data = damaged_json(json.loads(whole), rng)
        else:
            data = damaged_bytes(whole, rng)
        path.write_bytes(data)
        try:
            wrong = subject.check(folder)
        except REFUSALS:
            count.refused += 1
        except Exception as error:
            count.crashes.append(error)
        else:
            count.right += not wrong
            count.wrong += [f"{wrong}: {data[:4000]!r}"] if wrong else []
    return count
