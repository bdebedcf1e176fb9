"""Put small faults into the sources and see whether the tests notice: `python -m benchmark.mutants`.

Works in a copy of the tree. First, once per state of sources and tests, the tests are run to see which
functions each calls (minutes). Then a seeded sample of mutants of every package is tried, each against the
tests that run its function. What is known is kept in the work folder: a run that was ended goes on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmark.mutants import report, trial
from benchmark.mutants.calls import digest, traced
from benchmark.mutants.equivalent import Equivalents
from benchmark.mutants.journal import Fate, Journal
from benchmark.mutants.operators import Mutant, mutants
from benchmark.mutants.packages import LEFT_OUT, PACKAGES
from benchmark.mutants.selection import Selection

ROOT = Path(__file__).parents[2]


def main() -> int:
    """1 if a score is below --least."""
    args = _arguments()
    args.work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mutants_") as folder:
        tree = Path(folder).resolve()
        trial.copy_tree(ROOT, tree)
        drawn = {name: _drawn(tree, name, args) for name in args.packages}
        if args.list:
            print(
                "\n".join(f"{m.path}:{m.line}  {m.before} -> {m.after}" for ms in drawn.values() for m in ms)
            )
            return 0
        trial.preload()
        laboratory = Laboratory(tree, args)
        found = {name: laboratory.examine(name, chosen) for name, chosen in drawn.items()}
    print(report.table(found))
    if args.json:
        content = {"seed": args.seed, "sample": args.sample, "packages": found}
        args.json.write_text(json.dumps(content, indent=2) + "\n")
    return int(any(each["score"] is not None and each["score"] < args.least for each in found.values()))


class Laboratory:
    """A copy of the tree, and what is known about its mutants."""

    def __init__(self, tree: Path, args: argparse.Namespace):
        self.tree, self.args = tree, args
        self.tests_version = digest(tree, (tree / "test").rglob("*.py"))
        self.journal, self.equivalents = Journal(args.work / "journal.jsonl"), Equivalents()
        self.selection = Selection(traced(tree, args.work / "calls.json"))

    def examine(self, package: str, chosen: list[Mutant]) -> dict[str, Any]:
        """Try mutants of a package, or look up what became of them."""
        equivalent, fates, survivors = [], [], []
        for number, mutant in enumerate(chosen, start=1):
            reason = self.equivalents.reason(mutant)
            fate = self._fate(package, mutant)
            if reason is not None and not fate.killed:
                equivalent.append({**report.told(mutant, fate), "reason": reason})
                continue
            fates.append(fate)
            if not fate.killed:
                survivors.append(report.told(mutant, fate))
            place = f"{mutant.path}:{mutant.line}"
            print(
                f"{package} {number}/{len(chosen)} {fate.fate} {fate.seconds:.0f} s {place}", file=sys.stderr
            )
        return {**report.summary(fates), "equivalent": equivalent, "survivors": survivors}

    def _fate(self, package: str, mutant: Mutant) -> Fate:
        path = self.tree / mutant.path
        source = path.read_text()
        version = hashlib.sha256(source.encode()).hexdigest()[:12]
        known = self.journal.known(mutant.key, version, self.tests_version)
        if known is not None:
            return known
        selected = self.selection.of(mutant, self.args.patience)
        begun, fate = time.monotonic(), "not run"
        if selected.tests:
            try:
                path.write_text(mutant.applied(source))
                trial.forget_compiled(path)
                fate = trial.run(self.tree, selected.tests, selected.seconds)
            finally:
                path.write_text(source)
                trial.forget_compiled(path)
        took = round(time.monotonic() - begun, 1)
        found = Fate(
            package, mutant.key, mutant.line, fate, len(selected.tests), took, version, self.tests_version
        )
        self.journal.add(found)
        return found


def _drawn(tree: Path, package: str, args: argparse.Namespace) -> list[Mutant]:
    """Draw a sample, in the order of files and lines."""
    files = [name for name in PACKAGES[package].files(tree) if not name.startswith(LEFT_OUT)]
    every = [mutant for name in files for mutant in mutants(name, (tree / name).read_text())]
    rows = range(len(every))
    if args.sample and args.sample < len(every):
        rows = sorted(random.Random(f"{args.seed} {package}").sample(rows, args.sample))
    return [every[row] for row in rows]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--packages", nargs="+", choices=sorted(PACKAGES), default=list(PACKAGES))
    parser.add_argument("--sample", type=int, default=50, help="mutants per package; 0: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--patience", type=float, default=40.0, help="seconds of tests a mutant is given")
    parser.add_argument("--least", type=float, default=0.0, metavar="PERCENT", help="exit 1 below that score")
    parser.add_argument("--work", type=Path, default=ROOT / "runs/mutants", metavar="DIR")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--list", action="store_true", help="name the mutants, try none")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
