"""The fault trials themselves, in small: a node that survives, and a lab that notices when one does not."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator

import pear_camera
import pytest
from methods.semalign3d.alignment import fabricated

pytest.importorskip("rclpy")
pytest.importorskip("semcorr_ros.msg", reason="generated messages are missing: make setup")

import numpy as np
from sensor_msgs.msg import Image

from benchmark.faults import class_files, fuzz, lab, mutation, outages
from benchmark.faults.camera import Picture
from benchmark.faults.trials import TRIALS
from semcorr_ros.methods.semalign3d.class_file import write_class

ROOT = lab.ROOT


@pytest.fixture(scope="module", autouse=True)
def ros_environment(tmp_path_factory) -> Iterator[None]:
    """A domain of this module, no network, logs in a temporary folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_DOMAIN_ID", str(1 + (os.getpid() + 50) % 100))
        patch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        patch.setenv("ROS_LOCALHOST_ONLY", "1")
        patch.setenv("ROS_LOG_DIR", str(tmp_path_factory.mktemp("ros_logs")))
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "test")]))
        yield


@pytest.fixture
def subject(tmp_path) -> lab.Subject:
    """The pear, with a fabricated backbone and an alignment that is quick."""
    model = fabricated.make_class()
    write_class(tmp_path / "pear.safetensors", model)
    (tmp_path / "quick.yaml").write_text("optimize: {steps: 30}\n")
    shot = pear_camera.shoot(model, 70)
    return lab.Subject(
        "pear",
        tmp_path / "pear.safetensors",
        Picture(shot.image, shot.depth, shot.camera),
        tmp_path,
        runner=(sys.executable, str(ROOT / "test/ros/run_node.py")),
        parameters={
            "backbone": "fabricated",
            "threads": 1,
            "quality": str(tmp_path / "quick.yaml"),
            "demonstration_folder": str(tmp_path / "taught"),
        },
    )


def test_spoiled_messages_and_calls(subject):
    result = fuzz.fuzz(subject, 150, seed=1)
    assert TRIALS["fuzz"].failures(result) == []
    assert result["sent"] == 150
    refused = sum(n for name, n in result["answers"].items() if not name.endswith(": NONE"))
    assert refused > 10, result


def test_one_class_file_of_every_kind_of_damage(subject):
    result = class_files.damaged_files(subject, 2 * len(class_files.DAMAGE))
    assert TRIALS["class_files"].failures(result) == []
    assert result["answers"]["BAD_FILE"] >= 12


def test_two_namespaces(subject):
    assert TRIALS["namespaces"].failures(outages.two_namespaces(subject)) == []


def test_only_tracebacks_of_the_process_itself_count(tmp_path):
    def process(code: str) -> lab.Process:
        started = lab.Process([sys.executable, "-c", code], tmp_path / "log", {})
        end = time.monotonic() + 30
        while started.alive and time.monotonic() < end:
            time.sleep(0.02)
        return started

    assert process("1 / 0").tracebacks() == 1
    assert process("print('well')").tracebacks() == 0
    assert (tmp_path / "log").read_text().count("Traceback") == 1


def test_what_is_spoiled_can_still_be_sent():
    """A spoiled message that rclpy itself refuses would test nothing."""
    from rclpy.serialization import serialize_message

    rng = np.random.default_rng(0)
    spoiled = [mutation.spoil(Image(data=[1] * 12, width=2, height=2), rng, 3) for _ in range(200)]
    assert len({bytes(serialize_message(message)) for message in spoiled}) > 100
