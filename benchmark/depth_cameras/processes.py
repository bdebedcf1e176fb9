"""The node, the camera and the probe of a run, each a process of its own in a DDS domain of their own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.depth_cameras.asking import Client
from benchmark.depth_cameras.streaming import Listener
from benchmark.faults.lab import ROOT, Process, probing

NODE = "/semcorr"
AGE = 2.0  # seconds after which a picture is too old to be answered about


@dataclass(frozen=True)
class Setting:
    """What is tried, and how."""

    root: Path
    class_file: Path
    class_name: str
    work: Path
    parameters: dict[str, object] = field(default_factory=dict)  # of the node


@dataclass
class Health:
    """What became of the nodes."""

    alive: bool = True
    tracebacks: int = 0

    def add(self, node: Process) -> None:
        """Look at a node that is about to be ended."""
        self.alive &= node.alive
        self.tracebacks += node.tracebacks()


@contextmanager
def asking(setting: Setting, health: Health) -> Iterator[Client]:
    """Start a node that is asked."""
    with _node(setting, {}, health), _camera(setting), probing() as probe:
        yield Client(probe, NODE, setting.class_name)


@contextmanager
def watching(
    setting: Setting, regions: bool, depth: bool, health: Health
) -> Iterator[tuple[Client, Listener]]:
    """Start a node that looks at every picture: a new one, since a node learns the size of a class.

    It is told what comes with a picture, so that none is looked at before the rest of it is there.
    """
    parameters = {
        "active_classes": f"[{setting.class_name}]",
        "regions": "required" if regions else "none",
        "depth": "required" if depth else "none",
    }
    with _node(setting, parameters, health), _camera(setting), probing() as probe:
        yield Client(probe, NODE, setting.class_name), Listener(probe, NODE)


def own_domain(work: Path) -> None:
    """Set the environment for this process and its children."""
    os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 100)
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    os.environ["ROS_PYTHON_CHECK_FIELDS"] = "1"
    os.environ["ROS_LOG_DIR"] = str(work.resolve() / "ros_logs")
    os.environ["FASTDDS_DEFAULT_PROFILES_FILE"] = str(ROOT / "config/fastdds_large_images.xml")


@contextmanager
def _node(setting: Setting, parameters: dict[str, str], health: Health) -> Iterator[None]:
    values = {
        "classes": f"[{setting.class_file.resolve()}]",
        "max_image_age": AGE,
        "demonstration_folder": setting.work.resolve() / "demonstrations",
    }
    values |= parameters | setting.parameters  # the caller's word counts
    settings = [part for key, value in values.items() for part in ("-p", f"{key}:={value}")]
    command = [sys.executable, "-m", "semcorr_ros", "perceive", "--ros-args", *settings]
    with Process(command, setting.work / "node.log", {}) as node:
        try:
            yield
        finally:
            health.add(node)


def _camera(setting: Setting) -> Process:
    command = [sys.executable, "-m", "benchmark.depth_cameras.camera", str(setting.root.resolve())]
    command += ["--class-name", setting.class_name]
    return Process(command, setting.work / "camera.log", {})
