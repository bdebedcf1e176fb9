"""A node in its own process, started by a shell's means or forked by test/ros/node_server.py."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
UP_TIME = 180.0  # beside other work, a node that takes 8 s takes a minute


class Forked:
    """What `subprocess.Popen` offers, of a child of the server."""

    def __init__(self, arguments: list[str]) -> None:
        self.returncode: int | None = None
        self._printed = tempfile.TemporaryFile("w+")  # noqa: SIM115 - lives as long as the process
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(_server())
        request = {"arguments": arguments, "environment": dict(os.environ), "folder": str(ROOT)}
        socket.send_fds(self._connection, [json.dumps(request).encode()], [self._printed.fileno()])
        self._said = self._connection.makefile()
        self.pid = int(self._said.readline())

    def send_signal(self, number: int) -> None:
        """Send it, unless the process has ended."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status; raises TimeoutExpired."""
        if self.returncode is None:
            self._connection.settimeout(timeout)
            try:
                self.returncode = int(self._said.readline())
            except TimeoutError:
                self._said = self._connection.makefile()
                raise subprocess.TimeoutExpired("node", timeout or 0.0) from None
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, None]:
        """Return all that was printed; raises TimeoutExpired."""
        self.wait(timeout)
        self._printed.seek(0)
        return self._printed.read(), None


class NodeProcess:
    """A node in its own process."""

    def __init__(self, verb: str, parameters: dict[str, str], environment: dict[str, str] | None = None):
        """environment: variables that may matter before anything is imported: such a node is not forked."""
        given = [verb, "--ros-args"]
        for name, value in parameters.items():
            if name == "__params":
                given += ["--params-file", value]
            else:
                given += ["-r" if name.startswith("__") else "-p", f"{name}:={value}"]
        self.process = Forked(given) if environment is None else _executed(given, environment)

    def stop(self, number: int = signal.SIGINT) -> tuple[int, str]:
        """Exit status and everything printed."""
        self.process.send_signal(number)
        try:
            output, _ = self.process.communicate(timeout=UP_TIME)
        except subprocess.TimeoutExpired:
            self.process.kill()
            output, _ = self.process.communicate()
        return int(self.process.returncode or 0), output


def _executed(arguments: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(ROOT / "test/ros/run_node.py"), *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@cache
def _server() -> str:
    """Start the server of this test process; returns the path of its socket. It ends with its input."""
    path = str(Path(tempfile.mkdtemp()) / "nodes")
    command = [sys.executable, str(ROOT / "test/ros/node_server.py"), path]
    server = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, env=dict(os.environ))
    _KEPT.append(server)
    end = time.monotonic() + UP_TIME
    while not os.path.exists(path):
        assert server.poll() is None, "the server of nodes has ended"
        assert time.monotonic() < end, "the server of nodes does not start"
        time.sleep(0.05)
    return path


_KEPT: list[subprocess.Popen[bytes]] = []
