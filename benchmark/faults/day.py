"""A day with the node as one table: first answers, Ctrl-C, lost pictures, kill -9, and a soak.

At idle and with `--load N` other processes that compute all the time.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray

from benchmark.faults import lab, outages, soak, transport

WATCH = 15.0  # seconds in which pictures are counted
RATE = 10.0  # pictures a second of the simulated camera
LOST = ("MESSAGE_LOST", "SYNC_MISS")


def day(subject: lab.Subject, minutes: float, load: int) -> dict[str, Any]:
    """All of it, one after the other; soak for some minutes, 0 = none."""
    with _busy(load):
        result: dict[str, Any] = {"busy_processes": load, "load_before": round(os.getloadavg()[0], 2)}
        trials = {
            "first_answer": lambda: _first_answers(subject),
            "ctrl_c": lambda: _ctrl_c(subject),
            "lost": lambda: _lost(subject),
            "kill": lambda: outages.node_killed(subject),
        }
        if minutes > 0:
            trials["soak"] = lambda: soak.soak(subject, minutes)
        for name, trial in trials.items():
            result[name] = trial()
            print(name, result[name], file=sys.stderr, flush=True)
        return result | {"load_after": round(os.getloadavg()[0], 2)}


def _first_answers(subject: lab.Subject) -> dict[str, float]:
    """Seconds from the start of the process to the first answer, without anything kept by an earlier one (as
    far as the package is not installed: then its kernels are), and once more."""
    kept = subject.folder.resolve() / "first_home"
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir()
    names = ("SEMCORR_KERNELS", "XDG_CACHE_HOME")
    own = replace(subject, environment=subject.environment | {name: str(kept / name) for name in names})
    return {f"{name}_s": _first_answer(own) for name in ("cold", "warm")}


def _first_answer(subject: lab.Subject) -> float:
    with lab.start_camera(subject), lab.probing() as probe:
        start = time.monotonic()
        with lab.start_node(subject):
            probe.transfer_until(subject, lambda answer: answer.success, lab.UP)
            return round(time.monotonic() - start, 2)


def _ctrl_c(subject: lab.Subject) -> dict[str, Any]:
    """Seconds from SIGINT to the end of the process, amid its work; launch kills after five."""
    with lab.start_camera(subject), lab.probing() as probe, lab.start_node(_streaming(subject)) as node:
        probe.transfer_until(subject, lambda answer: answer.success, lab.UP)
        start = time.monotonic()
        status = node.end(signal.SIGINT)
        return {
            "seconds": round(time.monotonic() - start, 2),
            "status": status,
            "tracebacks": node.tracebacks(),
        }


def _lost(subject: lab.Subject) -> dict[str, Any]:
    """Pictures that the documented first command loses: our camera, and nothing chosen for the middleware."""
    told: dict[str, str] = {}

    def take(message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == f"{subject.full_name[1:]}: perception":
                told.update({item.key: item.value for item in status.values})

    def counts() -> dict[str, int]:
        keys = ("images received", *(f"dropped {code}" for code in LOST))
        return {key: int(told.get(key, 0)) for key in keys}

    with transport.environment(transport.PROFILE, None):
        command = [*subject.runner, "scene_camera", "--ros-args"]
        for value in (f"category:={subject.class_name}", f"rate:={RATE}"):
            command += ["-p", value]
        camera = lab.Process(command, subject.folder / "scene_camera.log", subject.environment)
        with camera, lab.start_node(_streaming(subject)), lab.probing() as probe:
            probe.node.create_subscription(DiagnosticArray, "/diagnostics", take, 10)
            probe.spin_until(lambda: counts()["images received"] > 0, lab.UP)
            before, start = counts(), time.monotonic()
            probe.spin_until(lambda: False, WATCH)
            after, seconds = counts(), time.monotonic() - start
    found = {key.removeprefix("dropped "): after[key] - before[key] for key in after}
    return {"seconds": round(seconds, 1), **found}


def _streaming(subject: lab.Subject) -> lab.Subject:
    streaming = {"active_classes": f"[{subject.class_name}]", "max_rate": 0.0}
    return replace(subject, parameters={**subject.parameters, **streaming})


@contextmanager
def _busy(count: int) -> Iterator[None]:
    """Processes that take a core each, where there are that many."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()
