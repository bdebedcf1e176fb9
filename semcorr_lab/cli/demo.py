"""From nothing to a transferred keypoint: render, build a class, run the node and a camera, ask, check.

Needs ROS 2 (`make setup`). The data set and the class stay in the output folder and are used again.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from semcorr_lab.cli._options.demo import DemoOptions
from semcorr_lab.demo import processes as _demo_processes
from semcorr_ros import __version__
from semcorr_ros.artifacts import KeypointState
from semcorr_ros.features import tiny
from semcorr_ros.files.picture import read_image
from semcorr_ros.storage import read_json, write_image, write_json
from semcorr_ros.visualization.matches import Matches, draw_matches, stack

SOURCE_SEED, CAMERA_SEED = 2000, 1000  # added to --seed: two objects that are not in the data set
SOURCE_VIEW = 3  # of the turntable; the handle of a mug is seen from the side
REACH_DEG = 100.0  # of the camera: seen from its front, without its handle, a mug could be turned any way
LOG_WIDTH = 110  # characters, where the output is no terminal
RATE = 5.0  # pictures per second of the camera
PHOTOGRAPHS = (
    "[dim]That was a rendered world. A class of your own objects takes about 25 photographs and their "
    'keypoints: README, "Your object, from photographs".[/dim]'
)


def run(options: DemoOptions) -> int:
    """Run the demo. Returns 0 if the answers are right and every process ended cleanly."""
    console = Console(width=None if sys.stdout.isatty() else LOG_WIDTH)
    weights = options.weights or tiny.WEIGHTS
    if not weights.is_file():
        raise FileNotFoundError(f"no weights {weights}; train them with: python -m semcorr_ros train_tiny")
    options.output.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(options.output / "home", ignore_errors=True)  # what an earlier run kept must not help
    class_file = _class_file(options, console)
    nodes = {
        "perceive": {
            "classes": f"[{class_file.resolve()}]",
            "device": options.device,
            "backbone": "tiny",
            "weights": weights.resolve(),
        },
        "scene_camera": {
            "category": options.category,
            "seed": options.seed + CAMERA_SEED,
            "rate": RATE,
            "reach_deg": REACH_DEG,
        },
    }
    with _demo_processes.Nodes(options.output, nodes) as running:
        console.print(f"[dim]nodes {', '.join(nodes)} are running; logs in {options.output}[/dim]")
        client = _ask(options, running)
        problems = running.stop()
    if client != 0:
        problems.append(f"the client ended with status {client}")
        _print_problems(console, problems)
        return 1
    calls = read_json(options.output / "answers.json")
    for number, call in enumerate(calls):
        _print_call(console, number, call)
    problems += [f"call {i} failed: {call['message']}" for i, call in enumerate(calls) if not call["success"]]
    picture = _picture(options.output, calls)
    if picture is not None:
        write_image(options.output / "overlay.png", picture)
        console.print(f"picture: {options.output / 'overlay.png'}")
    median = median_error_mm(calls)
    console.print(f"median 3D error of {len(_visible(calls))} visible points: [bold]{median:.1f} mm[/bold]")
    if not median < options.limit_mm:
        problems.append(f"the median 3D error {median:.1f} mm is not below {options.limit_mm:g} mm")
    console.print(PHOTOGRAPHS)
    _print_problems(console, problems)
    return 1 if problems else 0


def median_error_mm(calls: list[dict[str, Any]]) -> float:
    """Compute the median error of the truly visible points; a missing position counts as infinite."""
    errors = [float("inf") if row["error_mm"] is None else row["error_mm"] for row in _visible(calls)]
    return statistics.median(errors) if errors else float("inf")


def _visible(calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for call in calls for row in call["rows"] if row["true_state"] == "VISIBLE"]


def _class_file(options: DemoOptions, console: Console) -> Path:
    """Make data set and class anew, unless made by the same settings and version."""
    path, stamp = options.output / f"{options.category}.safetensors", options.output / "made_with.json"
    file = options.weights or tiny.WEIGHTS
    weights = tiny.fingerprint(file)
    wanted = {
        "version": __version__,
        "category": options.category,
        "images": options.images,
        "seed": options.seed,
    }
    wanted["weights"] = weights
    if path.is_file() and stamp.is_file() and read_json(stamp) == wanted:
        console.print(f"[dim]using {path} of an earlier run[/dim]")
        return path
    data = options.output / "data"
    if not stamp.is_file() or {**read_json(stamp), "weights": weights} != wanted:
        shutil.rmtree(data, ignore_errors=True)
    path.unlink(missing_ok=True)
    write_json(stamp, wanted)
    seed = ["--seed", str(options.seed)]
    made = ["--output", str(data), "--categories", options.category, "--images-trn", str(options.images)]
    for count in ("--images-val", "--images-test", "--pairs-trn", "--pairs-val", "--pairs-test"):
        made += [count, "0"]
    environment = _demo_processes.environment(options.output)
    _verb(console, environment, "synthesize", *made, "--workers", str(min(8, os.cpu_count() or 1)), *seed)
    built = ["--root", str(data), "--category", options.category, "--output", str(path)]
    built += ["--backbone", "tiny", "--weights", str(file), *seed]
    _verb(console, environment, "build_class", *built)
    return path


def _verb(console: Console, environment: dict[str, str], *arguments: str) -> None:
    console.print(
        f"[bold]$ python -m semcorr_ros {' '.join(arguments)}[/bold]", highlight=False, soft_wrap=True
    )
    status = subprocess.run([sys.executable, "-m", "semcorr_ros", *arguments], env=environment).returncode
    if status != 0:
        raise ValueError(f"{arguments[0]} ended with status {status}")


def _ask(options: DemoOptions, nodes: _demo_processes.Nodes) -> int:
    """Run the client; returns its exit status. Terminates it once a node has died."""
    command = [sys.executable, "-m", "semcorr_lab.demo.client", "--category", options.category]
    command += ["--source-seed", str(options.seed + SOURCE_SEED), "--source-view", str(SOURCE_VIEW)]
    command += ["--calls", str(options.calls), "--output", str(options.output)]
    client = subprocess.Popen(command, env=_demo_processes.environment(options.output))
    while client.poll() is None:
        try:
            client.wait(0.5)
        except subprocess.TimeoutExpired:
            if nodes.dead():
                client.terminate()
    return client.returncode


def _print_call(console: Console, number: int, call: dict[str, Any]) -> None:
    title = f"call {number}: answered after {call['seconds']:.1f} s"
    if call["success"]:
        title += f", confidence {call['confidence']:.2f}"
    table = Table(title=title, title_justify="left")
    for heading in ("keypoint", "state", "really", "pixel", "true pixel", "error px", "error mm", "score"):
        table.add_column(heading, justify="left" if heading in ("keypoint", "state", "really") else "right")
    for row in call["rows"]:
        table.add_row(
            row["name"],
            row["state"],
            row["true_state"],
            _pixel(row["pixel"]),
            _pixel(row["true_pixel"]),
            _number(row["error_px"]),
            _number(row["error_mm"]),
            f"{row['score']:.2f}",
        )
    console.print(table)


def _pixel(pixel: list[float]) -> str:
    return f"{pixel[0]:.0f}, {pixel[1]:.0f}"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.1f}"


def _print_problems(console: Console, problems: list[str]) -> None:
    for problem in problems:
        console.print(f"[bold red]FAILED[/bold red] {problem}")
    if not problems:
        console.print("[bold green]OK[/bold green] all answers are there, every process ended cleanly")


def _picture(output: Path, calls: list[dict[str, Any]]) -> torch.Tensor | None:
    source = read_image(output / "source.png")
    rows = []
    for number, call in enumerate(calls):
        if call["rows"]:
            matches = Matches(
                source=torch.tensor([row["source_pixel"] for row in call["rows"]]),
                target=torch.tensor([row["pixel"] for row in call["rows"]]),
                state=torch.tensor([int(KeypointState[row["state"]]) for row in call["rows"]]),
                names=tuple(row["name"] for row in call["rows"]),
                truth=torch.tensor([row["true_pixel"] for row in call["rows"]]),
            )
            rows.append(draw_matches(source, read_image(output / f"target_{number}.png"), matches))
    return stack(rows) if rows else None
