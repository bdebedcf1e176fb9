"""Which picture and which object a request means, and what else is published of them, over DDS."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import numpy as np
import pear_camera
import pytest
from geometry_msgs.msg import PointStamped, PoseArray
from ros.conftest import call, spin_until
from ros.test_inputs_over_dds import RAW, Response, Subject
from ros.test_perceive import inline
from semcorr_ros.msg import ClassPoseArray, Point2D, SemanticKeypointsArray
from semcorr_ros.srv import StoreDemonstration, TransferKeypoints

from semcorr_ros.ros import perceive, running

NAME = "/which/which"


@pytest.fixture(scope="module")
def subject(start, ros, settings, model) -> Iterator[Subject]:
    """A node that follows one pear, and publishes one point of it."""
    subject = Subject(start, ros, "which", RAW, active_classes="[pear]", point="pear/k2", **settings)
    subject.camera.show(pear_camera.shoot(model, 70))
    subject.healthy()
    yield subject
    subject.end()


def ask(subject: Subject, **fields: Any) -> Response:
    request = TransferKeypoints.Request(class_name="pear", **fields)
    return call(subject.ros, TransferKeypoints, f"{NAME}/transfer_keypoints", request)


def heard(subject: Subject, kind: type, topic: str) -> Any:
    """The first message of a topic."""
    got: list[Any] = []
    subscription = subject.ros.create_subscription(kind, f"{NAME}/{topic}", got.append, 5)
    assert spin_until(subject.ros, lambda: bool(got)), topic
    subject.ros.destroy_subscription(subscription)
    return got[0]


def test_an_object_is_called_by_the_name_it_is_followed_by(subject):
    assert spin_until(subject.ros, lambda: ask(subject).keypoints.instance_id == "pear_0")
    answer = ask(subject, instance_id="pear_0")
    assert answer.success, answer.message
    assert answer.pose.instance_id == "pear_0"
    nobody = ask(subject, instance_id="pear_7")
    assert nobody.error_code == Response.NOT_FOUND
    assert "followed: pear_0" in nobody.message
    both = TransferKeypoints.Request(class_name="pear", instance_id="pear_0")
    both.target_roi.width = both.target_roi.height = 20
    refused = call(subject.ros, TransferKeypoints, f"{NAME}/transfer_keypoints", both)
    assert refused.error_code == Response.BAD_REQUEST


def test_every_object_that_is_asked_for_is_in_the_answer(subject):
    answer = ask(subject, max_instances=3)
    assert answer.success
    assert len(answer.instances) == len(answer.poses) >= 1
    assert answer.instances[0] == answer.keypoints
    assert answer.poses[0] == answer.pose


def test_the_picture_that_was_meant(subject):
    seen = heard(subject, SemanticKeypointsArray, "keypoints").header
    exact = ask(subject, stamp=seen.stamp)
    assert exact.success, exact.message
    assert exact.header == seen
    later = ask(subject, stamp=seen.stamp, not_before=True)
    assert (later.header.stamp.sec, later.header.stamp.nanosec) >= (seen.stamp.sec, seen.stamp.nanosec)
    seen.stamp.nanosec = (seen.stamp.nanosec + 1) % 10**9
    seen.stamp.sec -= 1000
    gone = ask(subject, stamp=seen.stamp)
    assert gone.error_code == Response.BAD_REQUEST
    assert "kept: " in gone.message
    assert ask(subject, not_before=True).error_code == Response.BAD_REQUEST


def test_the_clicked_picture_is_taught(subject):
    seen = heard(subject, SemanticKeypointsArray, "keypoints")
    pixel = seen.instances[0].keypoints[2].pixel
    request = StoreDemonstration.Request(
        demonstration_id="clicked",
        class_name="pear",
        stamp=seen.header.stamp,
        points=[Point2D(x=pixel.x, y=pixel.y)],
    )
    request.overwrite = True
    stored = call(subject.ros, StoreDemonstration, f"{NAME}/store_demonstration", request)
    assert stored.success, stored.message
    assert stored.header == seen.header


def test_names_name_points_and_select_them(subject, model):
    shot = pear_camera.shoot(model, 60)
    points = [Point2D(x=float(x), y=float(y)) for x, y in shot.pixels[:3]]
    named = {"points": points, "point_names": ["a", "b", "c"], **inline(shot, "source")}
    answer = ask(subject, **named)
    assert [one.name for one in answer.keypoints.keypoints] == ["a", "b", "c"]
    some = ask(subject, keypoint_names=["c", "a"], **named)
    assert [one.name for one in some.keypoints.keypoints] == ["c", "a"]
    assert ask(subject, point_names=["a"]).error_code == Response.BAD_REQUEST


def test_standard_messages(subject, model):
    shot = pear_camera.shoot(model, 70)
    point = heard(subject, PointStamped, "point")
    assert point.header.frame_id == "optical"
    at = np.array([point.point.x, point.point.y, point.point.z])
    assert np.linalg.norm(at - shot.keypoints[2]) < 0.01
    poses = heard(subject, PoseArray, "pose_array")
    assert len(poses.poses) == 1
    assert abs(poses.poses[0].position.z - pear_camera.DISTANCE) < 0.02


def beside(subject: Subject, kind: type, topic: str, other: type, other_topic: str) -> tuple[Any, Any]:
    """Two messages about the same picture."""
    got: dict[int, dict[tuple[int, int], Any]] = {0: {}, 1: {}}

    def take(which: int) -> Any:
        return lambda message: got[which].update(
            {(message.header.stamp.sec, message.header.stamp.nanosec): message}
        )

    subscriptions = [
        subject.ros.create_subscription(each, f"{NAME}/{name}", take(i), 5)
        for i, (each, name) in enumerate(((kind, topic), (other, other_topic)))
    ]
    assert spin_until(subject.ros, lambda: bool(set(got[0]) & set(got[1]))), topic
    for subscription in subscriptions:
        subject.ros.destroy_subscription(subscription)
    stamp = max(set(got[0]) & set(got[1]))
    return got[0][stamp], got[1][stamp]


def test_detections_in_space_for_whoever_reads_vision_msgs(subject, model):
    vision = pytest.importorskip("vision_msgs.msg")
    found, poses = beside(subject, vision.Detection3DArray, "detections_3d", ClassPoseArray, "poses")
    assert found.header == poses.header
    (detection,), (pose,) = found.detections, poses.poses
    assert (detection.header, detection.id) == (poses.header, "pear_0")
    (result,) = detection.results
    assert (result.hypothesis.class_id, result.hypothesis.score) == ("pear", pytest.approx(pose.confidence))
    assert result.pose.pose == detection.bbox.center == pose.pose
    assert abs(result.pose.pose.position.z - pear_camera.DISTANCE) < 0.02
    np.testing.assert_allclose(result.pose.covariance, pose.covariance)
    assert np.linalg.eigvalsh(result.pose.covariance.reshape(6, 6)).min() > 0
    size = np.array([detection.bbox.size.x, detection.bbox.size.y, detection.bbox.size.z])
    extent = 0.05 * np.ptp(model.sparse.numpy(), axis=0)  # of its keypoints, as `shoot` scales them
    assert (size > 0.9 * extent).all(), (size, extent)
    assert (size < 1.5 * extent).all(), (size, extent)


def test_detections_in_the_picture_for_whoever_reads_vision_msgs(subject, model):
    vision = pytest.importorskip("vision_msgs.msg")
    shot = pear_camera.shoot(model, 70)
    found, keypoints = beside(
        subject, vision.Detection2DArray, "detections", SemanticKeypointsArray, "keypoints"
    )
    assert found.header == keypoints.header
    (detection,) = found.detections
    assert (detection.header, detection.id) == (keypoints.header, "pear_0")
    assert detection.results[0].hypothesis.class_id == "pear"
    assert detection.results[0].hypothesis.score > 0.5
    box, half = detection.bbox, np.array([detection.bbox.size_x, detection.bbox.size_y]) / 2
    center = np.array([box.center.position.x, box.center.position.y])
    np.testing.assert_allclose(center - half, shot.pixels.min(0), atol=2.0)
    np.testing.assert_allclose(center + half, shot.pixels.max(0), atol=2.0)


def test_ctrl_c_amid_work_ends_in_time(start, ros, settings, model):
    """launch kills after 5 s: what the node itself waits for is less."""
    assert perceive.CLOSING_TIME + running.EXECUTOR_TIME < 4.0
    subject = Subject(start, ros, "busy", RAW, active_classes="[pear]", max_rate="0.0", **settings)
    subject.camera.show(pear_camera.shoot(model, 70))
    subject.healthy()
    subject.camera.close()
    status, output = subject._node.stop(signal.SIGINT)
    subject.told.close()
    assert status == 0, output
    assert "Traceback" not in output
