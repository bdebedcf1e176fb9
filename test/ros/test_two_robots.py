"""Two robots in one ROS domain: their topics lie apart, and what they broadcast on the one /tf does, too."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pear_camera
import pytest
from rclpy.time import Time
from ros.conftest import spin_until
from ros.test_inputs_over_dds import RAW, Subject

tf2_ros = pytest.importorskip("tf2_ros", reason="tf2 comes with a ROS installation only")


@pytest.fixture(scope="module")
def robots(start, ros, settings, model) -> Iterator[dict[str, Subject]]:
    """Each with a camera of its own, and one pear before it, at different angles."""
    own = {"active_classes": "[pear]", "keypoint_frames": "[k2]"}
    found = {name: Subject(start, ros, name, RAW, **own, **settings) for name in ("north", "south")}
    for subject, azimuth in zip(found.values(), (60, 95), strict=True):
        subject.camera.show(pear_camera.shoot(model, azimuth))
    for subject in found.values():
        subject.healthy()
    yield found
    for subject in found.values():
        subject.end()


def test_both_see_a_pear_and_neither_hides_the_others(robots, ros, model):
    buffer = tf2_ros.Buffer()
    listener = tf2_ros.TransformListener(buffer, ros)
    frames = [f"{name}/pear_0/k2" for name in robots]
    known = spin_until(ros, lambda: all(buffer.can_transform("optical", one, Time()) for one in frames))
    assert known, buffer.all_frames_as_string()
    for frame, azimuth in zip(frames, (60, 95), strict=True):
        at = buffer.lookup_transform("optical", frame, Time()).transform.translation
        truth = pear_camera.shoot(model, azimuth).keypoints[2]
        assert np.linalg.norm(np.array([at.x, at.y, at.z]) - truth) < 0.01, frame
    assert not buffer.can_transform("optical", "pear_0", Time())
    listener.unregister()
