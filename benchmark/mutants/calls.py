"""What every test calls, traced once per state of its file, of what tests share, and of the sources."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmark.mutants import trial
from benchmark.mutants.packages import LEFT_OUT, TESTS

HOURS = 1.0  # that tracing may take
SEPARATOR = "::"


def digest(tree: Path, paths: Iterable[Path]) -> str:
    """Hash files with their names."""
    found = hashlib.sha256()
    for path in sorted(paths):
        found.update(str(path.relative_to(tree)).encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:12]


def traced(tree: Path, store: Path) -> dict[str, Any]:
    """Return seconds and calls by test, tracing what `store` does not know; see tracing.py.

    Raises RuntimeError with what pytest said where the tests cannot be run.
    """
    files = sorted({path for test in TESTS for path in _test_files(tree / test)})
    shared = [path for path in (tree / "test").rglob("*.py") if not path.name.startswith("test_")]
    sources = [*(tree / "semcorr_ros").rglob("*.py"), *shared]
    common = digest(tree, sources)
    states = {str(path.relative_to(tree)): f"{common} {digest(tree, [path])}" for path in files}
    states = {name: state for name, state in states.items() if not name.startswith(LEFT_OUT)}
    known: dict[str, Any] = json.loads(store.read_text()) if store.exists() else {}
    missing = [name for name, state in states.items() if state not in known]
    if missing:
        print(f"running {len(missing)} test files once, to see what each test calls ...", flush=True)
        for name, content in _trace(tree, missing).items():
            known[states[name]] = content
        store.write_text(json.dumps(known))
    parts = [known[state] for state in states.values()]
    return {key: {k: v for part in parts for k, v in part[key].items()} for key in ("seconds", "calls")}


def _test_files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(path.rglob("test_*.py"))


def _trace(tree: Path, files: list[str]) -> dict[str, Any]:
    out = tree / "calls.json"
    options = ["-p", "benchmark.mutants.tracing", "--trace-calls", str(out), "--maxfail=1000", "--tb=no"]
    trial.run(tree, [*options, *files], HOURS * 3600 / trial.SLOWER)
    if not out.exists():
        raise RuntimeError(f"the tests did not run:\n{(tree / '.output').read_text()[-3000:]}")
    content = json.loads(out.read_text())
    found: dict[str, Any] = {name: {"seconds": {}, "calls": {}} for name in files}
    for key in ("seconds", "calls"):
        for test, value in content[key].items():
            found[test.partition(SEPARATOR)[0]][key][test] = value
    return found
