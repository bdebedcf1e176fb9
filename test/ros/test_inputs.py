"""Camera streams over DDS: transports, quality of service, sizes, and the name of every loss."""

from __future__ import annotations

import os
import subprocess
import sys
from array import array
from collections.abc import Iterator
from types import SimpleNamespace

import camera_messages
import numpy as np
import pytest
import rclpy
from rclpy.event_handler import SubscriptionEventCallbacks, UnsupportedEventTypeError
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from ros.conftest import ROOT, spin_until
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from semcorr_ros.geometry import cameras
from semcorr_ros.node_options import Parameters
from semcorr_ros.reasons import Level
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.ros import conversions
from semcorr_ros.ros.inputs import ADAPT_PERIOD, Inputs
from semcorr_ros.ros.quality_of_service import on_trouble
from semcorr_ros.sensing.frame import read_frame
from semcorr_ros.serving.counters import Counters
from semcorr_ros.serving.recent_pictures import LATEST

SIZE = (48, 64)
RGB = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
METRES = np.full(SIZE, 0.75, np.float32)


class Bench:
    """Inputs on a node of this process, publishers of another context in the same process."""

    def __init__(
        self, depth: str = "auto", transports: tuple[str, str] = ("raw", "raw"), **overrides: object
    ):
        parameters = [Parameter(name.replace("__", "."), value=value) for name, value in overrides.items()]
        self.node = rclpy.create_node(
            "listener", namespace=f"/bench_{id(self)}", parameter_overrides=parameters
        )
        self.counters = Counters()
        self.inputs = Inputs(self.node, Parameters(depth=depth), self.counters, transports=transports)
        self.pictures: list = []
        self.inputs.on_picture = self.pictures.append

    def publisher(self, kind: type, topic: str, reliability: ReliabilityPolicy = ReliabilityPolicy.RELIABLE):
        return self.node.create_publisher(kind, topic, QoSProfile(depth=5, reliability=reliability))

    def send(self, *pairs: tuple) -> None:
        for publisher, message in pairs:
            assert spin_until(self.node, publisher.get_subscription_count)
            publisher.publish(message)

    def count(self, code: Code) -> int:
        return self.counters._counts[f"dropped {code.name}"]

    def close(self) -> None:
        self.inputs.close()
        self.node.destroy_node()


@pytest.fixture
def bench(ros) -> Iterator[type]:
    made: list[Bench] = []

    def make(*arguments, **named) -> Bench:
        made.append(Bench(*arguments, **named))
        return made[-1]

    yield make
    for item in made:
        item.close()


def header(frame: str = "optical", seconds: int = 1) -> Header:
    message = Header(frame_id=frame)
    message.stamp.sec = seconds
    return message


def info(size: tuple[int, int] = SIZE, frame: str = "optical") -> CameraInfo:
    return conversions.camera_message(cameras.centered(60.0, size), header(frame))


def packed(source, stamp: Header) -> CompressedImage:
    """A ROS message of one that was made without ROS."""
    return CompressedImage(header=stamp, format=source.format, data=array("B", source.data.tobytes()))


def test_raw_picture_with_depth(bench):
    b = bench()
    image, depth, calibration = (
        b.publisher(Image, "image"), b.publisher(Image, "depth"), b.publisher(CameraInfo, "camera_info")
    )  # fmt: skip
    b.send((calibration, info()))
    assert spin_until(b.node, lambda: b.inputs._assembler._info is not None)
    b.send((depth, conversions.depth_message(METRES, header())))
    assert spin_until(b.node, lambda: b.counters._counts["depth images received"])
    b.send((image, conversions.color_message(RGB, header())))
    assert spin_until(b.node, lambda: b.pictures)
    frame = read_frame(b.pictures[0].image, b.pictures[0].camera_info, b.pictures[0].depth)
    assert (frame.image.numpy() == RGB).all()
    assert frame.depth.values.unique().tolist() == pytest.approx([0.75])


def test_compressed_image_and_depth_follow_the_remapping_of_the_plain_topic(bench):
    b = bench("required", ("compressed", "compressedDepth"))
    color, depth = (
        b.publisher(CompressedImage, "image/compressed"),
        b.publisher(CompressedImage, "depth/compressedDepth"),
    )
    calibration = b.publisher(CameraInfo, "camera_info")
    b.send((calibration, info()))
    assert spin_until(b.node, lambda: b.inputs._assembler._info is not None)
    png = camera_messages.compressed(camera_messages.encoded(RGB, "PNG"), "rgb8; png compressed rgb8")
    b.send(
        (depth, packed(camera_messages.compressed_depth(METRES, "32FC1"), header())),
        (color, packed(png, header())),
    )
    assert spin_until(b.node, lambda: b.pictures)
    picture = b.pictures[0]
    frame = read_frame(picture.image, picture.camera_info, picture.depth)
    assert (frame.image.numpy() == RGB).all()
    np.testing.assert_allclose(frame.depth.values.numpy(), METRES, atol=1e-3)
    assert picture.header.frame_id == "optical"


def test_resolution_may_change_in_flight(bench):
    b = bench("none")
    image, calibration = b.publisher(Image, "image"), b.publisher(CameraInfo, "camera_info")
    for i, (height, width) in enumerate([(48, 64), (480, 640), (96, 128), (1080, 1920)]):
        before = len(b.pictures)
        b.send((calibration, info((height, width))))
        assert spin_until(
            b.node, lambda w=width: b.inputs._assembler._info and b.inputs._assembler._info.width == w
        )
        picture = np.full((height, width, 3), i, np.uint8)
        b.send((image, conversions.color_message(picture, header())))
        assert spin_until(b.node, lambda n=before: len(b.pictures) > n)
        frame = read_frame(b.pictures[-1].image, b.pictures[-1].camera_info, None)
        assert tuple(frame.image.shape) == (height, width, 3)


def test_twelve_megapixels(bench):
    b = bench("none")
    image, calibration = b.publisher(Image, "image"), b.publisher(CameraInfo, "camera_info")
    size = (3000, 4000)
    b.send((calibration, info(size)))
    assert spin_until(b.node, lambda: b.inputs._assembler._info is not None)
    message = conversions.color_message(np.full((*size, 3), 7, np.uint8), header())
    # Best effort, as subscribed, may lose fragments of 36 MB now and then: that is why it is repeated.
    for _ in range(10):
        b.send((image, message))
        if spin_until(b.node, lambda: b.pictures, 2.0):
            break
    assert b.pictures[0].image.width == 4000


def test_what_is_missing_is_named(bench):
    b = bench("required")
    image, calibration = b.publisher(Image, "image"), b.publisher(CameraInfo, "camera_info")
    depth = b.publisher(Image, "depth")
    assert _latest(b) == Code.NO_IMAGE
    b.send((image, conversions.color_message(RGB, header())))
    assert spin_until(b.node, lambda: b.counters._counts["images received"])
    assert _latest(b) == Code.NO_CAMERA_INFO
    b.send((calibration, info()))
    assert spin_until(b.node, lambda: _latest(b) == Code.NO_DEPTH)
    b.send((depth, conversions.depth_message(METRES, header(seconds=50))))
    assert spin_until(b.node, lambda: _latest(b) == Code.SYNC_MISS)


def test_an_uncalibrated_camera_and_foreign_frames(bench):
    b = bench("none")
    image, calibration = b.publisher(Image, "image"), b.publisher(CameraInfo, "camera_info")
    b.send((calibration, CameraInfo(header=header(), width=64, height=48)))
    assert spin_until(b.node, lambda: b.inputs._assembler._info is not None)
    picture = conversions.color_message(RGB, header())
    # Again and again: who subscribes with best effort may miss one.
    assert spin_until(b.node, lambda: b.send((image, picture)) or b.count(Code.UNCALIBRATED))
    assert _latest(b) == Code.UNCALIBRATED
    b.send((calibration, info(frame="left_optical")))
    assert spin_until(b.node, lambda: b.inputs._assembler._info.k[0] > 0)
    b.send((image, conversions.color_message(RGB, header())))
    assert spin_until(b.node, lambda: b.count(Code.FRAME_MISMATCH))
    assert _latest(b) == Code.FRAME_MISMATCH
    assert "left_optical" in b.counters.report().values["why FRAME_MISMATCH"]
    b.send((calibration, info()))
    assert spin_until(b.node, lambda: b.inputs._assembler.frames()["camera_info"] == "optical")
    b.send((image, conversions.color_message(RGB, header())))
    assert spin_until(b.node, lambda: b.pictures)


def test_a_quality_that_does_not_fit_is_named_and_can_be_overridden(bench):
    topic = "/quality/image"
    wish = {f"qos_overrides__{topic}__subscription__reliability": "reliable"}
    b = bench("none", **wish)
    b.inputs._subscribe("/quality/image", Image, "", lambda message: None)
    # Of another participant: the same node would be told nothing about itself.
    code = (
        "import rclpy, time; from sensor_msgs.msg import Image; from rclpy.qos import *; rclpy.init();"
        "n = rclpy.create_node('camera');"
        f"p = n.create_publisher(Image, '{topic}', qos_profile_sensor_data); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=dict(os.environ))
    try:
        assert spin_until(b.node, lambda: b.count(Code.QOS_INCOMPATIBLE))
    finally:
        other.kill()
        other.wait()
    status = b.counters.report()
    why = status.values["why QOS_INCOMPATIBLE"]
    assert "offers best_effort" in why
    assert "subscribed with reliable" in why
    assert status.level != Level.OK


def reliabilities(b: Bench, topic: str) -> list[str]:
    return [info.qos_profile.reliability.name for info in b.node.get_subscriptions_info_by_topic(topic)]


def test_it_asks_for_what_all_publishers_offer(bench):
    b = bench("none")
    topic = b.node.resolve_topic_name("image")
    assert reliabilities(b, topic) == ["BEST_EFFORT"]  # nobody is there: whoever comes is heard
    calibration, image = b.publisher(CameraInfo, "camera_info"), b.publisher(Image, "image")
    assert spin_until(b.node, lambda: reliabilities(b, topic) == ["RELIABLE"])
    b.send((calibration, info()))
    assert spin_until(b.node, lambda: b.inputs._assembler._info is not None)
    other = b.publisher(Image, "image", ReliabilityPolicy.BEST_EFFORT)
    assert spin_until(b.node, lambda: reliabilities(b, topic) == ["BEST_EFFORT"])
    for publisher in (image, other):
        before = len(b.pictures)
        b.send((publisher, conversions.color_message(RGB, header())))
        assert spin_until(b.node, lambda n=before: len(b.pictures) > n)
    b.node.destroy_publisher(other)
    assert spin_until(b.node, lambda: reliabilities(b, topic) == ["RELIABLE"])
    b.node.destroy_publisher(image)
    spin_until(b.node, lambda: False, 2 * ADAPT_PERIOD)
    assert reliabilities(b, topic) == ["RELIABLE"]  # for the same camera, when it comes back
    assert b.count(Code.QOS_INCOMPATIBLE) == 0


def test_an_override_holds_for_its_topic_only(bench):
    topic = "/special/image"
    b = bench("none", **{f"qos_overrides__{topic}__subscription__reliability": "best_effort"})
    for name in (topic, "/special/other"):
        b.inputs._subscribe(name, Image, "", lambda message: None)
        b.publisher(Image, name)
    assert spin_until(b.node, lambda: reliabilities(b, "/special/other") == ["RELIABLE"])
    assert reliabilities(b, topic) == ["BEST_EFFORT"]


def test_an_override_that_is_none_is_refused(bench):
    b = bench("none", **{"qos_overrides__/odd/image__subscription__reliability": "perfect"})
    with pytest.raises(
        ValueError, match="must be one of best_available, best_effort, reliable, got 'perfect'"
    ):
        b.inputs._subscribe("/odd/image", Image, "", lambda message: None)


def test_what_the_middleware_lost_is_named_with_the_way_out(bench):
    b = bench("none")
    topic = b.node.resolve_topic_name("image")
    on_trouble(b.node, topic, b.inputs._drop).message_lost(SimpleNamespace(total_count=3))
    assert b.count(Code.MESSAGE_LOST) == 1
    with pytest.raises(Refusal, match=f"no image has arrived .*MESSAGE_LOST: {topic}: 3 messages"):
        b.inputs.picture(LATEST, 5.0)
    told = b.counters.report().values
    assert "fastdds_large_images.xml" in told["fix MESSAGE_LOST"]


def test_a_middleware_without_such_events_is_no_obstacle(bench, monkeypatch):
    b, received = bench("none"), []

    def create(self, *arguments, **named):
        if self.message_lost:
            raise UnsupportedEventTypeError("not here")
        return []

    monkeypatch.setattr(SubscriptionEventCallbacks, "create_event_handlers", create)
    b.inputs._subscribe("plain", Image, "", received.append)
    b.send((b.publisher(Image, "plain"), Image()))
    assert spin_until(b.node, lambda: received)


def _latest(b: Bench) -> Code:
    with pytest.raises(Refusal) as caught:
        b.inputs.picture(LATEST, 5.0)
    return caught.value.code
