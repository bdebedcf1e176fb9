"""Node processes of the demo: started together, stopped together, their logs kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

STOPPING_TIME = 20.0  # seconds a node has to end after SIGINT


def environment(output: Path) -> dict[str, str]:
    """Set up every process of the demo: a domain of its own, nothing on the network, all files in `output`.

    With a home of its own, the demo shows what a new user's machine would do.
    """
    home = output.resolve() / "home"
    home.mkdir(parents=True, exist_ok=True)
    own = {"HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache")}
    own |= {"ROS_LOG_DIR": str((output / "ros_logs").resolve()), "PYTHONUNBUFFERED": "1"}
    if "ROS_DOMAIN_ID" not in os.environ:
        own["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 100)
    own["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    own["ROS_LOCALHOST_ONLY"] = "1"  # the same before Iron
    return {**os.environ, **own}


class Nodes:
    """Context of running nodes; leaving it interrupts them."""

    def __init__(self, output: Path, nodes: Mapping[str, Mapping[str, object]]):
        self._output = output
        self._nodes = nodes
        self._processes: dict[str, subprocess.Popen] = {}

    def __enter__(self) -> Nodes:
        for verb, parameters in self._nodes.items():
            arguments = [part for name, value in parameters.items() for part in ("-p", f"{name}:={value}")]
            command = [sys.executable, "-m", "semcorr_ros", verb, "--ros-args", *arguments]
            with self.log(verb).open("w") as log:
                # A session of its own: Ctrl-C in the terminal reaches the demo, which then stops the nodes.
                self._processes[verb] = subprocess.Popen(
                    command,
                    env=environment(self._output),
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def log(self, verb: str) -> Path:
        """Name the file where the output of a node goes."""
        return self._output / f"{verb}.log"

    def dead(self) -> list[str]:
        """List nodes that ended by themselves."""
        return [verb for verb, process in self._processes.items() if process.poll() is not None]

    def stop(self) -> list[str]:
        """Interrupt all nodes; say what did not end as it should, one sentence each."""
        for process in self._processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        end = time.monotonic() + STOPPING_TIME
        problems = []
        for verb, process in self._processes.items():
            try:
                status = process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                problems.append(f"{verb} did not end within {STOPPING_TIME:.0f} s of SIGINT")
                continue
            if status != 0:
                problems.append(f"{verb} ended with status {status}; see {self.log(verb)}")
            elif "Traceback" in self.log(verb).read_text():
                problems.append(f"{verb} printed a traceback; see {self.log(verb)}")
        return problems
