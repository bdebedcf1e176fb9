"""Time the stages of an answer on this machine, fast against reference in the same run.

Renders an object and builds a class for it first (kept in --work). Writes bench.json and scaling.png.
"""

from __future__ import annotations

import argparse
import platform
import resource
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from semcorr_ros import __version__, plugins
from semcorr_ros.storage import write_json
from semcorr_ros.timing import chart, scaling, stages, subject
from semcorr_ros.timing.clock import Timing

PAIRS = (
    ("align, nothing known", "align, nothing known, by autograd"),
    ("align, paper's schedule", "align, paper's schedule, by autograd"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("--work", type=Path, default=Path("bench_out"), metavar="DIR")
    parser.add_argument("--category", default="mug", choices=plugins.available("synthetic.categories"))
    parser.add_argument("--runs", type=int, default=20, metavar="N", help="of each stage (default: 20)")
    parser.add_argument("--slow-runs", type=int, default=3, metavar="N", help="of the slow ones (default: 3)")
    parser.add_argument("--frames", type=int, default=8, metavar="N", help="rendered pictures (default: 8)")
    parser.add_argument("--no-scaling", action="store_true", help="leave the scaling curves out")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: torch's own)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE", help="default: bench.json in --work")


def run(args: argparse.Namespace) -> int:
    """Returns 0."""
    if min(args.runs, args.slow_runs) < 1 or args.frames < 2:
        raise ValueError("--runs and --slow-runs must be at least 1 and --frames at least 2")
    if args.threads is not None:
        torch.set_num_threads(max(1, args.threads))
    timed = _subject(args)
    report = {"machine": machine(), "threads": torch.get_num_threads(), "version": __version__}
    with Progress(transient=True) as bar:
        task = bar.add_task("stages", total=None)
        found = stages.stages(timed, args.runs, args.slow_runs)
        bar.update(task, completed=1, total=1)
        curves = []
        if not args.no_scaling:
            task = bar.add_task("scaling", total=6)
            for curve in scaling.curves(timed, max(3, args.runs // 4)):
                curves.append(curve)
                bar.advance(task)
    ratios = {fast: found[slow].median_ms / found[fast].median_ms for fast, slow in PAIRS}
    report |= {
        "class": {"keypoints": len(timed.model.sparse), "points": len(timed.model.dense.weight)},
        "stages": {name: timing.json() for name, timing in found.items()},
        "times_faster": ratios,
        "scaling": {name: [[value, timing.json()] for value, timing in points] for name, points in curves},
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    write_json(args.json or args.work / "bench.json", report)
    _print(report, found, ratios)
    if curves:
        chart.draw_curves(args.work / "scaling.png", curves)
        print(f"curves: {args.work / 'scaling.png'}")
    return 0


def _subject(args: argparse.Namespace) -> stages.Subject:
    module = plugins.load("features", "tiny")
    extractor = module.build(module.Config())
    model = subject.build_class(args.work, args.category, args.seed)
    frames = subject.frames(args.category, args.frames, args.seed)
    return stages.Subject(model, frames, [frame.observe(extractor) for frame in frames], extractor)


def machine() -> str:
    """Processor and cores, as far as the system tells."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        name = lines[0].partition(":")[2].strip() if lines else name
    return f"{torch.get_num_threads()} threads of {name}, torch {torch.__version__}"


def _print(report: dict[str, Any], found: dict[str, Timing], ratios: dict[str, float]) -> None:
    table = Table(title=report["machine"])
    for column in ("stage", "median ms", "p99 ms", "runs"):
        table.add_column(column, justify="left" if column == "stage" else "right")
    for name, timing in found.items():
        table.add_row(name, f"{timing.median_ms:.1f}", f"{timing.p99_ms:.1f}", str(timing.runs))
    Console().print(table)
    for name, ratio in ratios.items():
        print(f"{name}: {ratio:.1f} times faster than by autograd")
