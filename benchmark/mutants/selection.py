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
        """Choose those that call its function; outside of functions, those that call any of its module.

        And those of the module's own test file: constants are read, and some functions are called when a
        module is imported, without a call that a test is seen to make.
        """
        names = self.by_function[mutant.path, mutant.function]
        if not mutant.function:
            names = self.by_module[mutant.path]
        if not mutant.function or not names:
            names = names | self._beside(mutant.path)
        whole = {name for name in names if "::" not in name}  # files, by their fixtures
        chosen = [test for test in self.seconds if test in names or _file(test) in whole]
        files: dict[str, list[str]] = defaultdict(list)
        for test in chosen:
            files[_file(test)].append(test)
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

    def _beside(self, path: str) -> set[str]:
        """Find the tests in the file that mirrors a module; of a package, those in its folder."""
        module = PurePosixPath("test", *PurePosixPath(path).parts[1:])
        if module.stem == "__init__":
            return {test for test in self.seconds if PurePosixPath(_file(test)).is_relative_to(module.parent)}
        own = str(module.with_name(f"test_{module.name}"))
        return {test for test in self.seconds if _file(test) == own}


def _file(test: str) -> str:
    return test.partition("::")[0]
