"""Say what is wrong with this machine, the node and its camera, and how to mend it.

Looks at versions, GPU, weights and kernel buffers; where ROS 2 is there, also at the running node: its
publishers, qualities of service, frames, sizes, stamps, clock, and everything it has lost and why.
Exit status 1 when something cannot work.
"""

from __future__ import annotations

import importlib
from dataclasses import asdict

from rich.console import Console
from rich.markup import escape

from semcorr_ros.cli._options.doctor import DoctorOptions
from semcorr_ros.diagnosis import graph, machine
from semcorr_ros.diagnosis.facts import Finding, ok
from semcorr_ros.reasons import Level
from semcorr_ros.storage import write_json

STYLES = {Level.OK: "green", Level.WARN: "yellow", Level.ERROR: "bold red"}


def run(options: DoctorOptions) -> int:
    """Print the findings; return 1 if one is an error."""
    findings = machine.examine(list(options.class_file))
    findings += [ok("ros", "not looked at")] if options.no_ros else _graph(options.node, options.seconds)
    console = Console(highlight=False)
    for finding in findings:
        _print(console, finding)
    if options.json:
        write_json(options.json, [asdict(item) | {"level": item.level.name} for item in findings])
    return int(any(finding.level == Level.ERROR for finding in findings))


def _graph(node: str, seconds: float) -> list[Finding]:
    try:
        doctor = importlib.import_module("semcorr_ros.ros.doctor")
    except ImportError as problem:
        raise ImportError(
            f"{problem}; the running node is looked at through ROS 2: source one and build, or `make setup`, "
            "or ask with --no-ros"
        ) from problem
    full = node if node.startswith("/") else f"/{node}"
    return graph.examine(doctor.look(full, seconds))


def _print(console: Console, finding: Finding) -> None:
    style = STYLES[finding.level]
    text = f"[{style}]{finding.level.name:<5}[/{style}] {escape(finding.about)}: {escape(finding.what)}"
    console.print(text, soft_wrap=True)
    if finding.fix:
        console.print(f"      fix: {escape(finding.fix)}", soft_wrap=True)
