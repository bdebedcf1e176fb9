"""A node in its own process, a camera in another, and a probe that talks to them over DDS."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from semcorr_ros.srv import TransferKeypoints
from std_msgs.msg import Header

from benchmark.faults.camera import Picture, write_picture

ROOT = Path(__file__).resolve().parents[2]
UP = 180.0  # seconds until a node answers
ANSWER = 180.0
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Subject:
    """The node that is tried, and what it should find."""

    class_name: str
    class_file: Path
    picture: Picture
    folder: Path  # of logs and pictures
    runner: tuple[str, ...] = (sys.executable, "-m", "semcorr_ros")
    parameters: dict[str, object] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    name: str = "semcorr"
    namespace: str = ""

    @property
    def full_name(self) -> str:
        """As in the ROS graph."""
        return f"{self.namespace}/{self.name}"

    def inline_request(self) -> TransferKeypoints.Request:
        """A request that brings its own picture, and that a healthy node answers."""
        messages = self.picture.messages(Header(frame_id="optical"))
        return TransferKeypoints.Request(
            class_name=self.class_name, target_image=messages["image"], target_depth=messages["depth"],
            target_camera_info=messages["camera_info"],
        )  # fmt: skip


class Process:
    """A child whose output is kept in a file."""

    def __init__(self, command: list[str], log: Path, environment: dict[str, str]):
        self.log = log
        with log.open("ab") as output:
            self._begin = output.tell()  # earlier processes wrote into the same file
            self._child = subprocess.Popen(
                command, cwd=ROOT, env={**os.environ, **environment}, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end(signal.SIGINT)

    @property
    def alive(self) -> bool:
        """Has it not ended?"""
        return self._child.poll() is None

    def end(self, number: int) -> int:
        """Exit status after a signal."""
        if self.alive:
            self._child.send_signal(number)
        try:
            return self._child.wait(30)
        except subprocess.TimeoutExpired:
            self._child.kill()
            return self._child.wait()

    def memory(self) -> int:
        """Resident bytes."""
        return int(Path(f"/proc/{self._child.pid}/statm").read_text().split()[1]) * PAGE

    def tracebacks(self) -> int:
        """In what it printed."""
        with self.log.open("rb") as log:
            log.seek(self._begin)
            return log.read().count(b"Traceback")


def start_node(subject: Subject) -> Process:
    """The perceive node with the class loaded."""
    values = {"classes": f"[{subject.class_file}]"} | subject.parameters
    arguments = [part for key, value in values.items() for part in ("-p", f"{key}:={value}")]
    arguments += ["-r", f"__node:={subject.name}", "-r", f"__ns:={subject.namespace or '/'}"]
    command = [*subject.runner, "perceive", "--ros-args", *arguments]
    return Process(command, subject.folder / f"{subject.name}.log", subject.environment)


def start_camera(subject: Subject, rate: float = 10.0) -> Process:
    """The subject's picture, in its namespace."""
    path = subject.folder / f"{subject.name}_picture.npz"
    write_picture(path, subject.picture)
    command = [sys.executable, "-m", "benchmark.faults.camera", str(path), "--rate", str(rate)]
    command += ["--namespace", subject.namespace or "/"]
    return Process(command, subject.folder / f"{subject.name}_camera.log", subject.environment)


class Probe:
    """A node of this process. Clients are made once."""

    def __init__(self) -> None:
        self.context = rclpy.Context()
        self.context.init()
        self.node = Node(f"probe_{time.monotonic_ns()}", context=self.context)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self._clients: dict[str, Any] = {}

    def spin_until(self, condition: Callable[[], Any], seconds: float) -> bool:
        """False when the condition does not hold in time."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                return False
            self._executor.spin_once(timeout_sec=0.02)
        return True

    def send(self, kind: type, name: str, request: Any) -> Any:
        """Future of a call. Raises TimeoutError where there is no such service."""
        if name not in self._clients:
            self._clients[name] = self.node.create_client(kind, name)
        if not self.spin_until(self._clients[name].service_is_ready, UP):
            raise TimeoutError(f"no service {name} after {UP:.0f} s")
        return self._clients[name].call_async(request)

    def call(self, kind: type, name: str, request: Any, seconds: float = ANSWER) -> Any:
        """Response. Raises TimeoutError."""
        future = self.send(kind, name, request)
        if not self.spin_until(future.done, seconds):
            raise TimeoutError(f"no answer from {name} after {seconds:.0f} s")
        return future.result()

    def transfer(self, subject: Subject, request: Any = None, seconds: float = ANSWER) -> Any:
        """Answer to a request, by default for all keypoints in the latest camera picture."""
        request = request or TransferKeypoints.Request(class_name=subject.class_name)
        return self.call(TransferKeypoints, f"{subject.full_name}/transfer_keypoints", request, seconds)

    def transfer_until(self, subject: Subject, accepted: Callable[[Any], bool], seconds: float) -> Any:
        """The first answer that is accepted, asked for again and again. Raises TimeoutError."""
        end, answer = time.monotonic() + seconds, None
        while time.monotonic() < end:
            try:
                answer = self.transfer(subject, seconds=2.0)
            except TimeoutError:
                continue
            if accepted(answer):
                return answer
            self.spin_until(lambda: False, 0.1)
        raise TimeoutError(
            f"no accepted answer after {seconds:.0f} s; the last: {getattr(answer, 'message', None)}"
        )

    def close(self) -> None:
        """Leave the graph."""
        self._executor.shutdown()
        self.node.destroy_node()
        self.context.try_shutdown()


@contextmanager
def probing() -> Iterator[Probe]:
    """A probe that is closed at the end."""
    probe = Probe()
    try:
        yield probe
    finally:
        probe.close()


def elsewhere(subject: Subject, namespace: str) -> Subject:
    """The same subject in another namespace."""
    return replace(subject, namespace=namespace, name=f"{subject.name}_{namespace.strip('/')}")
