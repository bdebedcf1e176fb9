"""Grasps over DDS: taught with a demonstration, asked for on another object, after a restart, and refused."""

from __future__ import annotations

import math
import signal

import numpy as np
import pear_camera
import pytest
import torch
from geometry_msgs.msg import PoseStamped, Quaternion
from methods.semalign3d.alignment import fabricated
from rclpy.qos import DurabilityPolicy, QoSProfile
from ros.conftest import call, spin_until
from ros.test_inputs_over_dds import RAW, Subject
from ros.test_perceive import inline
from semcorr_ros.msg import TransferredPose
from semcorr_ros.srv import ListDemonstrations, StoreDemonstration, TransferPose
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from semcorr_ros.artifacts import Camera
from semcorr_ros.geometry import rotations
from semcorr_ros.refusal import Refusal
from semcorr_ros.ros.client import Client

NEAR, ASTRAY = 0.01, 0.25  # metres and radians: what a grasp may be off
DISTANCE, SCALE = pear_camera.DISTANCE, 0.05
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
Response = TransferPose.Response


@pytest.fixture(scope="module")
def settings(settings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("grasps")
    return settings | {"demonstration_folder": str(folder), "__node": "grasping"}


@pytest.fixture(scope="module")
def node(start, settings):
    node = start("perceive", settings)
    yield node
    status, output = node.stop(signal.SIGINT)
    assert status == 0, output
    assert "Traceback" not in output


def placed(azimuth: float, scale: float = SCALE) -> tuple[torch.Tensor, torch.Tensor]:
    """Rotation and translation of the pear in a picture of `pear_camera.shoot`."""
    return fabricated.look_at(azimuth, 20.0), torch.tensor([0.01, -0.01, DISTANCE])


def grasp(model, azimuth: float, offset: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    """A gripper at the pear's third keypoint, turned with the pear, in the camera's frame."""
    turn, shift = placed(azimuth)
    at = model.sparse[2] * (1 + offset / float(model.sparse[2].norm()))
    return SCALE * turn @ at + shift, turn


def stamped(position: torch.Tensor, rotation: torch.Tensor, frame: str = "") -> PoseStamped:
    pose = PoseStamped(header=Header(frame_id=frame))
    x, y, z, w = rotations.to_quaternion(rotation).tolist()
    pose.pose.orientation = Quaternion(x=x, y=y, z=z, w=w)
    pose.pose.position.x, pose.pose.position.y, pose.pose.position.z = position.tolist()
    return pose


def store(ros, **fields) -> StoreDemonstration.Response:
    request = StoreDemonstration.Request(demonstration_id="grip", class_name="pear", **fields)
    return call(ros, StoreDemonstration, "/grasping/store_demonstration", request)


def transfer(ros, **fields) -> Response:
    request = TransferPose.Request(class_name="pear", **({"demonstration_id": "grip"} | fields))
    return call(ros, TransferPose, "/grasping/transfer_pose", request)


def shown(shot, **changes) -> dict:
    return {name.removeprefix("source_"): value for name, value in inline(shot, "source").items()} | changes


def off(found: TransferredPose, position: torch.Tensor, rotation: torch.Tensor) -> tuple[float, float]:
    at, q = found.pose.pose.position, found.pose.pose.orientation
    turn = rotations.from_quaternion(torch.tensor([q.x, q.y, q.z, q.w])) @ rotation.T
    distance = np.linalg.norm(np.array([at.x, at.y, at.z]) - position.numpy())
    return float(distance), float(rotations.to_vector(turn).norm())


def test_a_grasp_is_taught_once_and_found_on_the_next_object(node, ros, model):
    taught, goal = pear_camera.shoot(model, 60), pear_camera.shoot(model, 95)
    poses = [stamped(*grasp(model, 60)), stamped(*grasp(model, 60, offset=1.0), frame="optical")]
    names = ["grasp", "before"]
    stored = store(ros, poses=poses, pose_names=names, **shown(taught))
    assert stored.success, stored.message
    assert list(stored.info.pose_names) == names
    assert stored.header.frame_id == "optical"
    listed = call(ros, ListDemonstrations, "/grasping/list_demonstrations", ListDemonstrations.Request())
    assert [list(info.pose_names) for info in listed.demonstrations] == [names]

    markers: list[MarkerArray] = []
    subscription = ros.create_subscription(MarkerArray, "/grasping/pose_markers", markers.append, LATCHED)
    answer = transfer(ros, **inline(goal, "target"))
    assert answer.success, answer.message
    assert [pose.name for pose in answer.poses] == names
    for found, offset in zip(answer.poses, (0.0, 1.0), strict=True):
        distance, angle = off(found, *grasp(model, 95, offset))
        assert distance < NEAR, (found, distance)
        assert angle < ASTRAY
        assert found.pose.header.frame_id == "optical"
        assert found.reason == ""
        assert abs(found.stretch - 1) < 0.1
        covariance = found.covariance.reshape(6, 6)
        assert np.linalg.eigvalsh(covariance).min() > 0
        assert 1e-4 < math.sqrt(covariance[0, 0]) < 0.05
    assert spin_until(ros, lambda: any(len(array.markers) == 1 + 2 * 4 for array in markers))
    ros.destroy_subscription(subscription)
    one = transfer(ros, pose_names=["before"], **inline(goal, "target"))
    assert [pose.name for pose in one.poses] == ["before"]


def test_what_cannot_be_is_refused_with_its_reason(node, ros, model):
    shot = pear_camera.shoot(model, 60)
    target = inline(shot, "target")
    if not transfer(ros, **target).success:
        store(ros, poses=[stamped(*grasp(model, 60))], **shown(shot))
    assert transfer(ros, pose_names=["lid"], **target).error_code == Response.BAD_REQUEST
    assert transfer(ros, demonstration_id="none", **target).error_code == Response.DEMONSTRATION_UNKNOWN
    blind = {name: value for name, value in target.items() if name != "target_depth"}
    lost = transfer(ros, **blind)
    assert (lost.error_code, "metres" in lost.message) == (Response.NO_DEPTH, True)
    again = {"overwrite": True} | shown(shot)
    flat = stamped(*grasp(model, 60))
    flat.pose.orientation.w += 1.0
    assert "quaternion" in store(ros, poses=[flat], **again).message
    elsewhere = store(ros, poses=[stamped(*grasp(model, 60), frame="base_link")], **again)
    assert (elsewhere.error_code, "target_frame" in elsewhere.message) == (
        StoreDemonstration.Response.TF_MISSING,
        True,
    )
    good = stamped(*grasp(model, 60))
    assert "differ" in store(ros, poses=[good, good], pose_names=["a", "a"], **again).message
    dark = {name: value for name, value in again.items() if name != "depth"}
    assert store(ros, poses=[good], **dark).error_code == StoreDemonstration.Response.NO_DEPTH


def test_a_pose_far_from_the_object_is_unknown_and_says_so(node, ros, model):
    shot = pear_camera.shoot(model, 60)
    position, rotation = grasp(model, 60)
    far = stamped(position + torch.tensor([0.0, 0.0, 2.0]), rotation)
    near = stamped(position, rotation)
    assert store(ros, poses=[far, near], pose_names=["far", "near"], overwrite=True, **shown(shot)).success
    answer = transfer(ros, **inline(shot, "target"))
    assert not answer.success
    unknown, known = answer.poses
    assert math.isnan(unknown.pose.pose.position.x)
    assert math.isnan(unknown.pose.pose.orientation.w)
    assert unknown.covariance[0] == -1
    assert "m away from the object" in unknown.reason
    assert "m away from the object" in answer.message
    assert off(known, position, rotation)[0] < NEAR


def test_the_client_asks_in_one_line(node, ros, model):
    shot, goal = pear_camera.shoot(model, 60), pear_camera.shoot(model, 95)
    with Client("grasping", timeout=60.0) as client:
        client.store("pear", "script", {"tip": tuple(shot.pixels[2])},
                     {"grasp": stamped(*grasp(model, 60))}, **shown(shot))  # fmt: skip
        poses = client.poses("pear", "script", **inline(goal, "target"))
        assert list(poses) == ["grasp"]
        found = client.keypoints("pear", ["k2", "k0"], **inline(goal, "target"))
        assert [point.name for point in found.points] == ["k2", "k0"]
        assert np.linalg.norm(np.array(found["k2"].xyz) - goal.keypoints[2]) < NEAR
        assert found.frame == "optical"
        with pytest.raises(KeyError, match="there are: k2, k0"):
            found["lid"]
        with pytest.raises(Refusal, match="spoon"):
            client.keypoints("spoon")


TURNED = torch.tensor([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])  # from the upright camera's frame to its own


def turned(shot: pear_camera.Shot) -> pear_camera.Shot:
    """As a camera sees it that is mounted a quarter turn clockwise: its pictures lie on their left side."""
    height, width = shot.image.shape[:2]
    (fx, fy), (x, y) = shot.camera.focal.tolist(), shot.camera.principal_point.tolist()
    camera = Camera(torch.tensor([fy, fx]), torch.tensor([y, width - 1 - x]), (width, height))
    pixels = np.stack([shot.pixels[:, 1], width - 1 - shot.pixels[:, 0]], 1)
    image, depth = (np.ascontiguousarray(np.rot90(one)) for one in (shot.image, shot.depth))
    return pear_camera.Shot(image, depth, camera, shot.keypoints @ TURNED.numpy().T, pixels)


def test_a_grasp_seen_by_a_camera_that_is_not_upright(start, ros, settings, model):
    """It is taught and comes back in the frame of the camera itself, as it is mounted."""
    own = {"rotate": "'90'", "depth": "required"}
    subject = Subject(start, ros, "wrist", RAW, **(settings | own))
    subject.camera.show(turned(pear_camera.shoot(model, 60)))
    position, rotation = grasp(model, 60)
    pose = stamped(TURNED @ position, TURNED @ rotation)
    assert subject.told.rises("images received", by=3)
    request = StoreDemonstration.Request(demonstration_id="wrist", class_name="pear", poses=[pose])
    stored = call(ros, StoreDemonstration, "/wrist/wrist/store_demonstration", request)
    assert stored.success, stored.message
    subject.camera.show(turned(pear_camera.shoot(model, 95)))
    now = ros.get_clock().now().to_msg()
    request = TransferPose.Request(class_name="pear", demonstration_id="wrist", stamp=now, not_before=True)
    answer = call(ros, TransferPose, "/wrist/wrist/transfer_pose", request)
    subject.end()
    assert answer.success, answer.message
    position, rotation = grasp(model, 95)
    distance, angle = off(answer.poses[0], TURNED @ position, TURNED @ rotation)
    assert distance < NEAR
    assert angle < ASTRAY
    assert answer.poses[0].pose.header.frame_id == "optical"
