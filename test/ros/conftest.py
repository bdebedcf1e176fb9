"""Real DDS between processes, kept apart from everything else on the machine."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from domains import own_domain
from methods.semalign3d.alignment import fabricated
from ros.node_process import ROOT, UP_TIME, NodeProcess

from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation
from semcorr_ros.methods.semalign3d.class_file import write_class

rclpy = pytest.importorskip("rclpy")
pytest.importorskip("semcorr_ros.msg", reason="generated messages are missing: make setup")

ASKED = 3  # times, before a service counts as silent


@pytest.fixture(scope="session", autouse=True)
def ros_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A domain of this process, no network, strict field checks, logs in a temporary folder."""
    with pytest.MonkeyPatch.context() as patch, own_domain() as domain:
        patch.setenv("ROS_DOMAIN_ID", str(domain))
        patch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        patch.setenv("ROS_LOCALHOST_ONLY", "1")  # the same for distributions before Iron
        patch.setenv("ROS_PYTHON_CHECK_FIELDS", "1")
        patch.setenv("ROS_LOG_DIR", str(tmp_path_factory.mktemp("ros_logs")))
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv(
            "PYTHONPATH", f"{ROOT}{os.pathsep}{ROOT / 'test'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
        )
        yield


@pytest.fixture(scope="session")
def model() -> ClassRepresentation:
    """The fabricated pear: read-only."""
    return fabricated.make_class()


@pytest.fixture(scope="session")
def class_file(model: ClassRepresentation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pear's: read-only."""
    path = tmp_path_factory.mktemp("classes") / "pear.safetensors"
    write_class(path, model)
    return path


@pytest.fixture(scope="session")
def settings(class_file: Path) -> dict[str, str]:
    """Parameters of a node: the pear loaded, and an alignment that is quick rather than exact."""
    quick = class_file.with_name("quick.yaml")
    quick.write_text("optimize: {steps: 60}\n")
    return {"backbone": "fabricated", "classes": f"[{class_file}]", "threads": "1", "quality": str(quick)}


@pytest.fixture(scope="module")
def ros(ros_environment: None) -> Iterator[rclpy.node.Node]:
    """A node of the test process."""
    rclpy.init()
    node = rclpy.create_node(f"probe_{time.monotonic_ns()}")
    yield node
    node.destroy_node()
    rclpy.shutdown()


@pytest.fixture(scope="module")
def start() -> Iterator[Callable[..., NodeProcess]]:
    """Starts node processes and ends those that the test left running."""
    started: list[NodeProcess] = []

    def make(verb: str, parameters: dict[str, str] | None = None, **environment: str) -> NodeProcess:
        started.append(NodeProcess(verb, parameters or {}, environment or None))
        return started[-1]

    yield make
    for node in started:
        if node.process.returncode is None:
            print(node.stop()[1])  # where a test failed, this says why


def spin_until(node: rclpy.node.Node, condition: Callable[[], bool], seconds: float = UP_TIME) -> bool:
    """Spin `node` until the condition holds; False when it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        rclpy.spin_once(node, timeout_sec=0.05)
    return True


def call(node: rclpy.node.Node, kind: type, name: str, request: object, seconds: float = UP_TIME) -> object:
    """Response of a service; fails the test when there is none in time.

    Asks again after a while, as clients on a robot do: a reply is lost where the server has seen the request
    before it has seen the client's reader of replies.
    """
    client = node.create_client(kind, name)
    futures = []
    try:
        assert client.wait_for_service(seconds), f"no service {name}"
        for _ in range(ASKED):
            futures.append(client.call_async(request))
            if spin_until(node, lambda: any(each.done() for each in futures), seconds / ASKED):
                return next(each.result() for each in futures if each.done())
        raise AssertionError(f"no answer from {name}")
    finally:
        node.destroy_client(client)
