"""Cameras that change while the node runs, over DDS: depth that dies, calibration that is sent once, time
that goes back, a second camera on the same topic. What is answered then says so, and is never plain success.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Any

import pear_camera
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from lifecycle_msgs.msg import Transition
from rclpy.qos import DurabilityPolicy, QoSProfile
from ros.conftest import call, spin_until
from ros.test_inputs_over_dds import RAW, Camera, Response, Subject
from ros.test_lifecycle import change
from semcorr_ros.msg import ClassPoseArray
from semcorr_ros.srv import TransferKeypoints
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from semcorr_ros.refusal import Code
from semcorr_ros.ros import conversions

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


@pytest.fixture(scope="module")
def shot(model):
    return pear_camera.shoot(model, 70)


@pytest.fixture(scope="module")
def settings(settings):
    return settings | {"active_classes": "[pear]"}


@pytest.fixture(scope="module")
def subject(start, ros, settings) -> Iterator[Subject]:
    """A node whose camera has depth, which nothing requires."""
    subject = Subject(start, ros, "day", RAW, **settings)
    yield subject
    subject.end()


@pytest.fixture
def well(subject, shot) -> Subject:
    """Shows a pear with depth, and the node knows it."""
    subject.camera.show(shot)
    subject.healthy()
    assert spin_until(subject.ros, lambda: subject.ask().pose.metric)
    return subject


def test_a_call_right_after_activation_waits_for_the_first_picture(well):
    name = f"{well.name}/{well.name}"
    assert change(well.ros, name, Transition.TRANSITION_DEACTIVATE)
    assert change(well.ros, name, Transition.TRANSITION_ACTIVATE)
    request = TransferKeypoints.Request(class_name="pear", timeout=60.0)
    answer = call(well.ros, TransferKeypoints, f"/{name}/transfer_keypoints", request)
    assert answer.success, answer.message
    assert answer.pose.metric  # the first image, too, waits for its depth


def test_depth_that_dies_is_told_everywhere_and_nothing_is_in_metres_then(well, shot):
    poses: list[ClassPoseArray] = []
    topic = f"/{well.name}/{well.name}/poses"
    subscription = well.ros.create_subscription(ClassPoseArray, topic, poses.append, 5)
    well.camera.show(shot, depth=None)
    assert spin_until(well.ros, lambda: not well.ask().pose.metric)
    answer = well.ask()
    assert answer.success
    assert "no depth image has arrived on the topic `depth` for" in answer.message
    lengths = [answer.pose.scale, *_numbers(answer.pose.pose.position), *_numbers(answer.pose.size)]
    assert all(map(math.isnan, lengths)), lengths
    assert "depth: required" in well.told.why(Code.NO_DEPTH)
    assert spin_until(well.ros, lambda: well.told.status.level == DiagnosticStatus.WARN)
    assert spin_until(well.ros, lambda: "NO_DEPTH" in well.told.status.message)

    def unmeasured() -> bool:
        return bool(poses) and all(math.isnan(p.pose.position.z) and not p.metric for p in poses[-1].poses)

    assert spin_until(well.ros, unmeasured)
    well.camera.show(shot)
    assert spin_until(well.ros, lambda: well.ask().pose.metric)
    assert well.ask().message == ""
    assert spin_until(well.ros, lambda: well.told.status.level == DiagnosticStatus.OK)
    well.ros.destroy_subscription(subscription)


def test_time_that_goes_back_is_said_once_and_pictures_go_on(well, shot):
    for _ in range(2):  # a bag in a loop
        before = well.told.count("dropped TIME_JUMP")
        well.camera.late = dict.fromkeys(RAW, 1000.0)
        assert spin_until(well.ros, lambda n=before: well.told.count("dropped TIME_JUMP") == n + 1)
        well.healthy()
        assert well.ask().success
        assert well.told.count("dropped TIME_JUMP") == before + 1
        well.camera.late = {}
        well.healthy()  # forwards is no jump
    assert well.told.count("dropped TIME_JUMP") == 2


def test_two_cameras_on_one_topic_are_no_success(well, shot):
    other = Camera(well.ros, RAW, f"/{well.name}")
    other.show(shot)
    answers: list[Response] = []

    def refused() -> bool:
        answers.append(well.ask())
        return answers[-1].error_code == Response.SEVERAL_PUBLISHERS

    assert spin_until(well.ros, refused)
    assert "by turns" in answers[-1].message
    assert well.told.why(Code.SEVERAL_PUBLISHERS)
    other.close()
    well.healthy()
    assert spin_until(well.ros, lambda: well.ask().success)


def test_calibration_of_another_camera_is_refused(well, shot):
    def of_another(header: Header) -> CameraInfo:
        return conversions.camera_message(shot.camera, Header(stamp=header.stamp, frame_id="left_optical"))

    well.camera.show(shot, camera_info=of_another)
    assert "'left_optical'" in well.told.why(Code.FRAME_MISMATCH)
    well.subscribe_anew()
    assert spin_until(well.ros, lambda: well.ask().error_code == Response.FRAME_MISMATCH)


def test_a_failed_answer_has_the_header_of_the_latest_image(well, shot):
    before = time.time()
    well.camera.show(shot, camera_info=None)
    well.subscribe_anew()

    def told() -> bool:
        answer = well.ask()
        late = answer.header.stamp.sec >= int(before)
        return answer.error_code == Response.NO_CAMERA_INFO and answer.header.frame_id == "optical" and late

    assert spin_until(well.ros, told)


def test_the_reason_is_that_of_the_moment(well, shot):
    well.camera.show(shot, camera_info=None)
    well.subscribe_anew()
    assert spin_until(well.ros, lambda: well.ask().error_code == Response.NO_CAMERA_INFO)
    well.camera.makers["image"] = well.camera.makers["depth"] = None
    well.camera.makers["camera_info"] = lambda header: conversions.camera_message(shot.camera, header)
    # The last image had waited for it, and gets old.
    assert spin_until(well.ros, lambda: well.ask().error_code == Response.NO_IMAGE)


def test_calibration_that_was_sent_once_before_the_node_came(start, ros, shot, settings):
    latched = ros.create_publisher(CameraInfo, "/once/camera_info", LATCHED)
    latched.publish(conversions.camera_message(shot.camera, Header(frame_id="optical")))
    kinds: dict[str, Any] = {name: RAW[name] for name in ("image", "depth")}
    subject = Subject(start, ros, "once", kinds, depth="required", **settings)
    try:
        subject.camera.show(shot)
        subject.healthy()
        answer = subject.ask()
        assert answer.success, answer.message
        assert answer.pose.metric
    finally:
        subject.end()
        ros.destroy_publisher(latched)


def _numbers(point: Any) -> list[float]:
    return [point.x, point.y, point.z]
