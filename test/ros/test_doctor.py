"""`doctor` on a live graph: a node whose camera has every defect at once."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from rclpy.duration import Duration
from rclpy.qos import qos_profile_sensor_data
from ros.conftest import ROOT, spin_until
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from semcorr_ros.geometry import cameras
from semcorr_ros.ros import conversions

TOPICS = ((Image, "/ill/image"), (CameraInfo, "/ill/camera_info"), (Image, "/ill/depth"))


@pytest.fixture(scope="module")
def ill_camera(start, ros):
    """Perceive in a namespace; images without calibration, depth of another size, frame and time."""
    node = start("perceive", {"backbone": "fabricated", "__node": "patient", "__ns": "/ill"})
    publishers = [ros.create_publisher(kind, topic, qos_profile_sensor_data) for kind, topic in TOPICS]

    def publish() -> None:
        now = ros.get_clock().now()
        header = Header(stamp=now.to_msg(), frame_id="color")
        late = Header(stamp=(now - Duration(seconds=30)).to_msg(), frame_id="depth")
        info = conversions.camera_message(cameras.centered(60.0, (48, 64)), header)
        info.k[:] = 0
        messages = (
            conversions.color_message(np.zeros((48, 64, 3), np.uint8), header),
            info,
            conversions.depth_message(np.ones((24, 32), np.float32), late),
        )
        for publisher, message in zip(publishers, messages, strict=True):
            publisher.publish(message)

    timer = ros.create_timer(0.1, publish)
    yield
    ros.destroy_timer(timer)
    node.stop()


def ask(ros, *arguments: str) -> tuple[int, str]:
    """The verb, as a user calls it."""
    command = [sys.executable, "-m", "semcorr_ros", "doctor", "--seconds", "1", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert spin_until(ros, lambda: process.poll() is not None)
    assert process.stdout is not None
    return process.returncode, process.stdout.read()


def test_every_defect_is_named(ill_camera, ros):
    assert spin_until(ros, lambda: ros.count_subscribers("/ill/depth") > 0)
    status, said = ask(ros, "--node", "/ill/patient")
    assert status == 1
    for expected in (
        "OK    node: /ill/patient is active",
        "OK    topic image: /ill/image",
        "ERROR topic camera_info: UNCALIBRATED",
        "WARN  frames: they differ: camera_info 'color', depth 'depth', image 'color'",
        "ERROR sizes: they differ",
        "depth 32x24",
        "ERROR stamps: image and depth stamps are ",
        "stamps of /ill/depth are 30.",
        "WARN  SYNC_MISS:",
        "fix: calibrate the camera",
    ):
        assert expected in said, said


def test_a_missing_node_is_named_and_the_others_listed(ill_camera, ros):
    status, said = ask(ros, "--node", "nobody")
    assert status == 1
    assert "no node /nobody; nodes: " in said
    assert "/ill/patient" in said
    assert "remap it: image:=TOPIC, one of: " in said
    assert "/ill/image" in said
