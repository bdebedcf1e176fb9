"""The share of mutants that tests find, and those that they do not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmark.mutants.journal import Fate
from benchmark.mutants.operators import Mutant


def summary(fates: Sequence[Fate]) -> dict[str, Any]:
    """Count what was tried, what was found, and the share in percent."""
    killed = sum(fate.killed for fate in fates)
    score = round(100 * killed / len(fates), 1) if fates else None
    return {"mutants": len(fates), "killed": killed, "score": score}


def told(mutant: Mutant, fate: Fate) -> dict[str, Any]:
    """Describe a survivor."""
    what = {"before": mutant.before, "after": mutant.after or "(removed)", "in": mutant.context}
    return {"at": f"{mutant.path}:{mutant.line}", **what, "fate": fate.fate, "tests": fate.tests}


def table(packages: dict[str, dict[str, Any]]) -> str:
    """Render scores and survivors as text."""
    lines = [f"{'package':16}{'mutants':>9}{'killed':>8}{'score':>8}{'equivalent':>12}"]
    for name, found in packages.items():
        score = "-" if found["score"] is None else f"{found['score']:.1f} %"
        lines.append(
            f"{name:16}{found['mutants']:9}{found['killed']:8}{score:>8}{len(found['equivalent']):12}"
        )
    for name, found in packages.items():
        lines += ["", f"survivors in {name}:"] if found["survivors"] else []
        for each in found["survivors"]:
            how = "no test runs it" if each["fate"] == "not run" else f"{each['tests']} tests"
            lines.append(f"  {each['at']}  {each['before']} -> {each['after']}  ({how})\n      {each['in']}")
    return "\n".join(lines)
