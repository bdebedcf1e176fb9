"""A plug-in of pytest: which functions every test calls, and how long it takes.

`python -m pytest -p benchmark.mutants.tracing --trace-calls FILE`. What a fixture calls counts for all tests
of its file: it may have been made for one and serve the others.
"""

from __future__ import annotations

import json
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest


class Recorder:
    """Called for every function; remembers those of the package for the test that runs."""

    def __init__(self, root: Path, out: Path):
        self.prefix, self.out = f"{root}/semcorr_ros/", out
        self.skip = len(f"{root}/")
        self.now = ""
        self.calls: dict[str, set[tuple[str, int]]] = defaultdict(set)
        self.seconds: dict[str, float] = {}

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        code = frame.f_code
        if self.now and code.co_filename.startswith(self.prefix):
            self.calls[self.now].add((code.co_filename[self.skip :], code.co_firstlineno))

    def _while(self, what: str) -> Iterator[None]:
        self.now = what
        yield
        self.now = ""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Iterator[None]:
        yield from self._while(item.nodeid.partition("::")[0])

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        yield from self._while(item.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            self.seconds[report.nodeid] = report.duration

    def pytest_sessionstart(self) -> None:
        threading.settrace(self)
        sys.settrace(self)

    def pytest_sessionfinish(self) -> None:
        sys.settrace(None)
        calls = {name: sorted(called) for name, called in self.calls.items()}
        self.out.write_text(json.dumps({"seconds": self.seconds, "calls": calls}))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--trace-calls", type=Path, metavar="FILE")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--trace-calls"):
        config.pluginmanager.register(Recorder(Path.cwd(), config.getoption("--trace-calls").resolve()))
