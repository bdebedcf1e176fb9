"""Which tests run the line of a mutant, those that end soonest first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from benchmark.mutants.operators import Mutant


@dataclass(frozen=True)
class Selected:
    """Tests in the order in which they are asked, and the seconds that they take."""

    tests: tuple[str, ...]
    seconds: float
    left_out: int  # tests that would take longer than there is patience


class Selection:
    """Knows seconds and calls of every test (calls.py)."""

    def __init__(self, content: Mapping[str, Any]):
        self.seconds: dict[str, float] = content["seconds"]  # of those that passed
        self.by_function: dict[tuple[str, int], set[str]] = defaultdict(set)
        self.by_module: dict[str, set[str]] = defaultdict(set)
        for name, called in content["calls"].items():
            for path, line in called:
                self.by_function[path, line].add(name)
                self.by_module[path].add(name)

    def of(self, mutant: Mutant, patience: float) -> Selected:
        """Choose those that call its function; outside of functions, those that call any of its module."""
        at = mutant.path, mutant.function
        names = self.by_function[at] if mutant.function else self.by_module[mutant.path]
        whole = {name for name in names if "::" not in name}  # files, by their fixtures
        chosen = [test for test in self.seconds if test in names or test.partition("::")[0] in whole]
        files: dict[str, list[str]] = defaultdict(list)
        for test in chosen:
            files[test.partition("::")[0]].append(test)
        own = f"test_{PurePosixPath(mutant.path).stem}.py"
        took = {name: sum(self.seconds[test] for test in tests) for name, tests in files.items()}
        ordered, total, out = [], 0.0, 0
        for name in sorted(files, key=lambda name: (PurePosixPath(name).name != own, took[name])):
            for test in sorted(files[name], key=self.seconds.__getitem__):
                if total + self.seconds[test] > patience:
                    out += 1
                    continue
                ordered.append(test)
                total += self.seconds[test]
        return Selected(tuple(ordered), total, out)
