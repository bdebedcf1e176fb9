"""What only the nodes can measure, in processes of their own: nothing here imports ROS."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from semcorr_lab.timing.clock import Timing
from semcorr_lab.timing.subject import Frame

LONGEST = 600.0  # seconds


def bank(class_file: Path, count: int, device: str) -> dict[str, Any]:
    """Measure the memory of `count` resident classes; {"skipped": reason} where it cannot be measured."""
    return _run("measure_bank", [str(class_file), "--count", str(count), "--device", device])


def service(class_file: Path, frame: Frame, calls: int, threads: int, device: str) -> dict[str, Any]:
    """Ask a running node about `frame`: round trip, and overhead on top of the model.

    {"skipped": reason} without ROS 2.
    """
    picture = class_file.with_suffix(".npz")
    np.savez(
        picture,
        image=frame.image.numpy(),
        depth=frame.depth.numpy(),
        focal=frame.camera.focal.numpy(),
        center=frame.camera.principal_point.numpy(),
    )
    options = {"--calls": calls, "--threads": threads, "--device": device}
    given = [str(part) for option in options.items() for part in option]
    found = _run("measure_service", [str(class_file), str(picture), *given])
    if "skipped" in found:
        return found
    whole, model = np.array(found.pop("round_trip_ms")), np.array(found.pop("model_ms"))
    return found | {"round trip": timing(whole).json(), "overhead": timing(whole - model).json()}


def timing(milliseconds: np.ndarray) -> Timing:
    """Summarize measured runs."""
    return Timing(float(np.median(milliseconds)), float(np.percentile(milliseconds, 99)), len(milliseconds))


def _run(module: str, arguments: list[str]) -> dict[str, Any]:
    """Run a module; return what it prints, or why it could not."""
    name = f"semcorr_lab.timing.{module}"
    if importlib.util.find_spec("semcorr_ros.ros") is None:
        return {"skipped": "installed without the nodes: build the ROS 2 package"}
    command = [sys.executable, "-m", name, *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST)
    except subprocess.TimeoutExpired:
        return {"skipped": f"no end after {LONGEST:.0f} s"}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        missing = "ModuleNotFoundError" in last
        return {"skipped": f"ROS 2 is not there ({last})" if missing else last}
    found: dict[str, Any] = json.loads(done.stdout)
    return found
