"""Answers in another frame: moved once, exactly, at the stamp of the image."""

from __future__ import annotations

import importlib.util
import math
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from geometry_msgs.msg import Point, PoseStamped, Quaternion, Transform, Vector3
from ros.conftest import UP_TIME
from semcorr_ros.msg import ClassPose, SemanticKeypoint, SemanticKeypoints, TransferredPose
from std_msgs.msg import Header

from semcorr_ros.geometry.rotations import from_quaternion, super_fibonacci, to_quaternion
from semcorr_ros.geometry.taken import rotation
from semcorr_ros.node_options import Parameters
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.ros import parameters
from semcorr_ros.ros.transforms import Gravity, TargetFrame, TransformSender, as_arrays, frame_prefix

TURN = super_fibonacci(9)[4].double()
SHIFT = np.array([0.5, -0.2, 1.0])


class OneStamp:
    """Stands for tf2's buffer, with its signature: it knows the camera at one moment only."""

    def lookup_transform(self, target: str, source: str, time, timeout) -> SimpleNamespace:
        assert timeout.nanoseconds > 0
        if (target, source, time.nanoseconds) != ("base_link", "camera", 5_000_000_007):
            raise LookupError(f"{source} at {time.nanoseconds} is not known")
        x, y, z, w = to_quaternion(TURN).tolist()
        translation = Vector3(**dict(zip("xyz", SHIFT.tolist(), strict=True)))
        return SimpleNamespace(
            transform=Transform(translation=translation, rotation=Quaternion(x=x, y=y, z=z, w=w))
        )


@pytest.fixture
def frame(monkeypatch):
    tf2 = ModuleType("tf2_ros")
    tf2.Buffer, tf2.TransformListener = (
        OneStamp,
        lambda buffer, node: SimpleNamespace(unregister=lambda: None),
    )
    monkeypatch.setitem(sys.modules, "tf2_ros", tf2)
    return TargetFrame(None, "base_link")


def header(nanosec: int = 7) -> Header:
    message = Header(frame_id="camera")
    message.stamp.sec, message.stamp.nanosec = 5, nanosec
    return message


def answer() -> tuple[SemanticKeypoints, ClassPose]:
    known, unknown = SemanticKeypoint(name="rim"), SemanticKeypoint(name="handle")
    known.xyz, known.covariance = Point(x=0.1, y=0.2, z=0.9), np.diag([1.0, 2.0, 3.0]).reshape(-1)
    unknown.xyz = Point(x=math.nan, y=math.nan, z=math.nan)
    unknown.covariance = np.append(-1.0, np.zeros(8))
    pose = ClassPose()
    pose.pose.position, pose.covariance = Point(x=0.1, y=0.2, z=0.9), np.arange(36.0)
    return SemanticKeypoints(keypoints=[known, unknown]), pose


def test_points_poses_and_covariances_move_together(frame):
    instance, pose = answer()
    moved = frame.move(header(), [instance], [pose])
    assert (moved.frame_id, moved.stamp) == ("base_link", header().stamp)
    expected = TURN.numpy() @ [0.1, 0.2, 0.9] + SHIFT
    for at in (instance.keypoints[0].xyz, pose.pose.position):
        np.testing.assert_allclose([at.x, at.y, at.z], expected, atol=1e-6)
    got = instance.keypoints[0].covariance.reshape(3, 3)
    np.testing.assert_allclose(got, TURN.numpy() @ np.diag([1.0, 2, 3]) @ TURN.numpy().T, atol=1e-5)
    q = pose.pose.orientation
    turned = from_quaternion(torch.tensor([q.x, q.y, q.z, q.w], dtype=torch.float64))
    torch.testing.assert_close(turned, TURN, atol=1e-6, rtol=0)
    np.testing.assert_allclose(
        pose.covariance.reshape(6, 6)[:3, 3:],
        TURN.numpy() @ np.arange(36.0).reshape(6, 6)[:3, 3:] @ TURN.numpy().T,
        atol=1e-4,
    )


def test_what_is_unknown_stays_unknown(frame):
    instance, _ = answer()
    frame.move(header(), [instance], [])
    unknown = instance.keypoints[1]
    assert math.isnan(unknown.xyz.x)
    assert unknown.covariance[0] == -1


def test_another_moment_is_refused_not_guessed(frame):
    with pytest.raises(Refusal, match="base_link") as caught:
        frame.move(header(nanosec=8), [], [])
    assert caught.value.code == Code.TF_MISSING


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"stamp": (0, 0)}, "stamp 0"),
        ({"frame_id": "/camera"}, "name it 'camera'"),
        ({"frame_id": ""}, "empty frame_id"),
    ],
)
def test_a_header_that_tf2_cannot_look_up_is_named(frame, changed, said):
    """Of the stamp 0, tf2 would take the latest transform: one of another picture."""
    message = header()
    message.frame_id = changed.get("frame_id", message.frame_id)
    message.stamp.sec, message.stamp.nanosec = changed.get("stamp", (5, 7))
    instance, pose = answer()
    with pytest.raises(Refusal, match=said) as caught:
        frame.move(message, [instance], [pose])
    assert caught.value.code == Code.TF_MISSING


def test_poses_of_a_gripper_come_and_go_through_the_frame(frame):
    pose = answer()[1].pose
    pose.orientation = Quaternion(x=0.0, y=0.0, z=0.0, w=1.0)
    transferred = TransferredPose(name="grasp", covariance=np.eye(6).reshape(-1))
    transferred.pose = PoseStamped(header=header(), pose=pose)
    frame.move_transferred(header(), [transferred])
    assert transferred.pose.header.frame_id == "base_link"
    (back,) = frame.from_frame(header(), [transferred.pose])
    got = [getattr(back.position, axis) for axis in "xyz"]
    np.testing.assert_allclose(got, [0.1, 0.2, 0.9], atol=1e-6)
    assert back.orientation.w == pytest.approx(1.0, abs=1e-6)
    unknown = TransferredPose(covariance=np.append(-1.0, np.zeros(35)))
    unknown.pose.pose.orientation = Quaternion(x=math.nan, y=math.nan, z=math.nan, w=math.nan)
    frame.move_transferred(header(), [unknown])
    assert math.isnan(unknown.pose.pose.orientation.w)


def test_time_that_went_back_forgets_what_tf2_knew(frame):
    cleared = []
    frame.buffer.clear = lambda: cleared.append(True)
    frame.forget_time()
    assert cleared == [True]


def test_without_a_frame_nothing_moves():
    instance, pose = answer()
    same = header()
    assert TargetFrame(None, "").move(same, [instance], [pose]) is same
    assert instance.keypoints[0].xyz.x == 0.1


def test_a_frame_needs_tf2(monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2_ros", None)
    with pytest.raises(ValueError, match="needs tf2_ros"):
        TargetFrame(None, "map")


def test_metric_poses_are_sent_together_at_the_stamp_of_their_image(monkeypatch):
    sent = []
    tf2 = ModuleType("tf2_ros")
    tf2.TransformBroadcaster = lambda node: SimpleNamespace(sendTransform=sent.append)
    monkeypatch.setitem(sys.modules, "tf2_ros", tf2)
    sender = TransformSender(None)
    _, pose = answer()
    pose.metric, pose.instance_id = True, "mug_1"
    shapeless = ClassPose(instance_id="mug_2", metric=False)
    sender.send(header(), [shapeless])
    assert sent == []
    sender.send(header(), [pose, shapeless])
    (((transform,),),) = ((tuple(each) for each in sent),)
    assert transform.header == header()
    assert transform.child_frame_id == "mug_1"
    at, known = transform.transform.translation, pose.pose.position
    assert (at.x, at.y, at.z) == (known.x, known.y, known.z)
    assert 0 not in (at.x, at.y, at.z)
    assert transform.transform.rotation == pose.pose.orientation


def test_frames_of_robots_and_of_keypoints(monkeypatch, ros):
    sent = []
    tf2 = ModuleType("tf2_ros")
    tf2.TransformBroadcaster = lambda node: SimpleNamespace(sendTransform=sent.extend)
    monkeypatch.setitem(sys.modules, "tf2_ros", tf2)
    robot = SimpleNamespace(get_namespace=lambda: "/robot1")
    prefixes = [frame_prefix(robot, wish) for wish in ("namespace", "none", "", "left_")]
    assert prefixes == ["robot1/", "", "", "left_"]
    assert frame_prefix(ros, "namespace") == ""
    instance, pose = answer()
    pose.metric, pose.instance_id, instance.instance_id = True, "mug_1", "mug_1"
    pose.pose.orientation = Quaternion(**dict(zip("xyzw", to_quaternion(TURN).tolist(), strict=True)))
    instance.keypoints[0].xyz = Point(x=0.3, y=0.1, z=0.8)
    stamp = header()
    stamp.frame_id = "/camera"
    TransformSender(None, "robot1/").send(stamp, [pose], [instance], ("all",))
    assert [(one.header.frame_id, one.child_frame_id) for one in sent] == [
        ("camera", "robot1/mug_1"),  # tf2 knows no leading slash
        ("robot1/mug_1", "robot1/mug_1/rim"),  # the handle has no position
    ]
    at = sent[1].transform.translation
    center = np.array([pose.pose.position.x, pose.pose.position.y, pose.pose.position.z])
    np.testing.assert_allclose(TURN.numpy() @ [at.x, at.y, at.z] + center, [0.3, 0.1, 0.8], atol=1e-6)
    sent.clear()
    TransformSender(None).send(header(), [pose], [instance], ("lid",))
    assert [one.child_frame_id for one in sent] == ["mug_1"]


def test_without_tf2_no_transform_is_sent_and_the_log_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2_ros", None)
    said = []
    node = SimpleNamespace(get_logger=lambda: SimpleNamespace(info=said.append))
    _, pose = answer()
    pose.metric = True
    TransformSender(node).send(header(), [pose])
    assert said == ["tf2_ros is not installed: no transforms are broadcast"]


def test_agrees_with_tf2_geometry_msgs():
    tf2 = pytest.importorskip("tf2_geometry_msgs", reason="only in a full ROS 2 installation")
    from geometry_msgs.msg import PointStamped, TransformStamped

    transform = TransformStamped(
        transform=OneStamp().lookup_transform("base_link", "camera", _time(), _time()).transform
    )
    theirs = tf2.do_transform_point(PointStamped(point=Point(x=0.1, y=0.2, z=0.9)), transform).point
    rotation, translation = as_arrays(transform.transform)
    np.testing.assert_allclose([theirs.x, theirs.y, theirs.z], rotation @ [0.1, 0.2, 0.9] + translation)


def _time():
    return SimpleNamespace(nanoseconds=5_000_000_007)


def test_a_node_that_cannot_transform_says_so_at_start(start):
    if importlib.util.find_spec("tf2_ros"):
        pytest.skip("tf2_ros is installed here")
    node = start("perceive", {"backbone": "fabricated", "target_frame": "base_link", "__node": "moved"})
    output, _ = node.process.communicate(timeout=UP_TIME)
    assert node.process.returncode == 2
    assert "target_frame 'base_link' needs tf2_ros" in output
    assert "Traceback" not in output


@pytest.fixture
def gravity(monkeypatch):
    """tf2 as it is called, with a rotation that the test sets: camera_from_base."""

    class Rolled:
        camera_from_base = torch.eye(3)

        def lookup_transform(self, target: str, source: str, time, timeout) -> SimpleNamespace:
            if (target, source, time.nanoseconds) != ("camera", "base_link", 5_000_000_007):
                raise LookupError(f"{target} at {time.nanoseconds} is not known")
            x, y, z, w = to_quaternion(self.camera_from_base.double()).tolist()
            return SimpleNamespace(transform=Transform(rotation=Quaternion(x=x, y=y, z=z, w=w)))

    tf2 = ModuleType("tf2_ros")
    tf2.Buffer = Rolled
    tf2.TransformListener = lambda buffer, node: SimpleNamespace(unregister=lambda: None)
    monkeypatch.setitem(sys.modules, "tf2_ros", tf2)
    return Gravity(None, "base_link"), Rolled


# Optical frame of a camera that looks along base_link's x: its x is -y, its y is -z, its z is x.
LEVEL = torch.tensor([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])


@pytest.mark.parametrize("mounted", [0, 90, 180, 270])
@pytest.mark.parametrize("wobble", [-30.0, 0.0, 30.0])
def test_tf_tells_which_way_up_a_camera_is(gravity, mounted, wobble):
    asked, tf2 = gravity
    angle = math.radians(mounted + wobble)
    c, s = math.cos(angle), math.sin(angle)
    # The camera is rolled clockwise, seen from behind: what it sees turns the other way.
    roll = torch.tensor([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
    tf2.camera_from_base = roll @ LEVEL
    assert asked.turn(header()) == mounted
    assert upright(roll @ LEVEL, mounted)
    tf2.camera_from_base = torch.tensor([[0.0, -1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
    assert asked.turn(header()) == mounted  # straight down: as it was last


def upright(camera_from_base: torch.Tensor, turn: int) -> bool:
    """Whether what is higher in the world is higher in the turned picture."""
    low, high = (camera_from_base @ torch.tensor([1.0, 0.0, height]) for height in (-0.1, 0.1))
    return bool((rotation(turn) @ high)[1] < (rotation(turn) @ low)[1])


def test_without_gravity_nothing_is_guessed(gravity):
    asked, _ = gravity
    with pytest.raises(Refusal, match="rotate is auto, but there is no transform from up_frame") as caught:
        asked.turn(header(8))
    assert caught.value.code == Code.TF_MISSING


def test_gravity_needs_tf2(monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2_ros", None)
    with pytest.raises(ValueError, match=r"rotate auto needs tf2_ros.*give 0, 90, 180 or 270"):
        parameters.check(Parameters(rotate="auto"))
