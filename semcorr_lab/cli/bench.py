"""Time the stages of an answer on this machine, fast against reference in the same run.

Renders an object and builds a class for it first (kept in --work). Writes bench.json and scaling.png.
"""

from __future__ import annotations

import os
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from semcorr_lab.cli._options.bench import BenchOptions
from semcorr_lab.timing import beside, limits, machine, scaling, stages, subject
from semcorr_lab.timing.clock import Timing
from semcorr_ros import __version__
from semcorr_ros.cli._providers import device_from
from semcorr_ros.devices import moved
from semcorr_ros.features import FEATURES
from semcorr_ros.memory import peak_memory
from semcorr_ros.storage import write_json

PAIRS = (
    ("align, nothing known", "align, nothing known, by autograd"),
    ("align, paper's schedule", "align, paper's schedule, by autograd"),
)


def run(options: BenchOptions) -> int:
    """Time stages, limits, nodes and scaling; write the report. Returns 0."""
    timed, load = _subject(options), os.getloadavg()[0]
    report = {"machine": machine_name(), "threads": torch.get_num_threads(), "version": __version__}
    report |= {"device": timed.device, "engine": timed.engine}
    with Progress(transient=True) as bar:
        task = bar.add_task("stages", total=None)
        found = stages.stages(timed, options.runs, options.slow_runs)
        bar.update(task, description="limits")
        # Known only for the CPU: what a GPU could do would have to be measured there.
        on_cpu = torch.device(timed.device).type == "cpu"
        best, works = machine.measured(), stages.works(timed) if on_cpu else {}
        bar.update(task, description="service")
        beyond = _nodes(options, timed)
        bar.update(task, completed=1, total=1)
        curves = []
        if on_cpu and not options.no_scaling:
            task = bar.add_task("scaling", total=6)
            for curve in scaling.curves(timed, max(3, options.runs // 4)):
                curves.append(curve)
                bar.advance(task)
    ratios = {fast: found[slow].median_ms / found[fast].median_ms for fast, slow in PAIRS}
    if "overhead" in beyond["service"]:
        found["service, overhead"] = Timing(**beyond["service"]["overhead"])
        works["service, overhead"] = limits.of_message(beyond["service"]["request_bytes"])
    report |= {
        "class": {"keypoints": len(timed.model.sparse), "points": len(timed.model.dense.weight)},
        "stages": {name: timing.json() for name, timing in found.items()},
        "times_faster": ratios,
        "best_of_machine": asdict(best),
        "limits": {
            name: limits.verdict(works[name], best, timing.median_ms)
            for name, timing in found.items()
            if name in works
        },
        "load": [round(load, 1), round(os.getloadavg()[0], 1)],
        **beyond,
        "scaling": {name: [[value, timing.json()] for value, timing in points] for name, points in curves},
        "peak_memory": peak_memory(),
    }
    write_json(options.json or options.work / "bench.json", report)
    _print(report, found, ratios)
    if curves:
        scaling.draw_curves(options.work / "scaling.png", curves)
        print(f"curves: {options.work / 'scaling.png'}")
    return 0


def _subject(options: BenchOptions) -> stages.Subject:
    tiny = FEATURES.load("tiny")
    extractor, device = tiny.make({}, {}), device_from(options.compute)
    model = moved(subject.build_class(options.work, options.category, options.seed), device)
    frames = subject.frames(options.category, options.frames, options.seed)
    observations = [moved(frame.observe(extractor), device) for frame in frames]
    there = tiny.make({}, {"device": device})
    return stages.Subject(model, frames, observations, there, device, options.engine)


def _nodes(options: BenchOptions, timed: stages.Subject) -> dict[str, Any]:
    """Measure what only the nodes can, on the device they would choose."""
    path, device = (
        options.work / f"{options.category}.safetensors",
        "cuda" if torch.cuda.is_available() else "cpu",
    )
    found: dict[str, Any] = {name: {"skipped": "not asked for"} for name in ("service", "residents")}
    if options.calls:
        threads = torch.get_num_threads()
        found["service"] = beside.service(path, timed.frames[0], options.calls, threads, device)
    if options.classes:
        found["residents"] = beside.bank(path, options.classes, device)
    return found


def machine_name() -> str:
    """Name threads, processor and torch version, as far as the system tells."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        name = lines[0].partition(":")[2].strip() if lines else name
    return f"{torch.get_num_threads()} threads of {name}, torch {torch.__version__}"


def _print(report: dict[str, Any], found: dict[str, Timing], ratios: dict[str, float]) -> None:
    table = Table(title=report["machine"] + "; limit: ms at best, times longer than that")
    for column in ("stage", "median ms", "p99 ms", "runs", "limit", "ms", "times"):
        table.add_column(column, justify="left" if column in ("stage", "limit") else "right")
    for name, timing in found.items():
        cells, limit = [f"{timing.median_ms:.1f}", f"{timing.p99_ms:.1f}", str(timing.runs)], []
        if name in report["limits"]:
            verdict = report["limits"][name]
            limit = [verdict["limit"], f"{verdict['ms'][verdict['limit']]:.2f}", f"{verdict['times']:.1f}"]
        table.add_row(name, *cells, *limit)
    Console().print(table)
    best = report["best_of_machine"]
    print(
        f"this machine: {best['far_bytes_per_s'] / 1e9:.0f} GB/s from memory, "
        f"{best['near_bytes_per_s'] / 1e9:.0f} GB/s in the caches, {best['flops_per_s'] / 1e9:.0f} Gflop/s, "
        f"{1e6 * best['launch_s']:.1f} us per operation; load before and after: {report['load']}"
    )
    for name, ratio in ratios.items():
        print(f"{name}: {ratio:.1f} times faster than by autograd")
    for name in ("service", "residents"):
        if "skipped" in report[name]:
            print(f"{name}: skipped, {report[name]['skipped']}")
    for size, memory in report["residents"].items():
        if size != "skipped":
            print(
                f"{memory['classes']} resident classes, {size}: {memory['tensors_mb']:.0f} MB of tensors, "
                f"{memory['tensors_mb_per_class']:.2f} each; a class is loaded in {memory['load_ms']:.1f} ms"
            )
