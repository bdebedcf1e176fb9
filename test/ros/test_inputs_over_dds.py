"""A node fed by another process: whatever is wrong with the camera is named on /diagnostics, and once it is
put right, pictures are published again.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import camera_messages
import numpy as np
import pear_camera
import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import Transition
from rcl_interfaces.srv import SetParameters
from rclpy.duration import Duration
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data
from ros.conftest import ROOT, call, spin_until
from ros.test_inputs import packed
from ros.test_lifecycle import change
from semcorr_ros.msg import Regions, SemanticKeypoint
from semcorr_ros.srv import TransferKeypoints
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from benchmark.faults.camera import Picture, write_picture
from semcorr_ros.geometry import cameras
from semcorr_ros.refusal import Code
from semcorr_ros.ros import conversions

RAW = {"image": Image, "camera_info": CameraInfo, "depth": Image}
PACKED = RAW | {"image": CompressedImage, "depth": CompressedImage}
SUFFIX = {"image": "/compressed", "depth": "/compressedDepth", "camera_info": ""}
Maker = Callable[[Header], Any]
Response = TransferKeypoints.Response


class Camera:
    """Shows what `makers` make, ten times a second; a stream without a maker is silent."""

    def __init__(self, ros: rclpy.node.Node, kinds: dict[str, type], namespace: str):
        self.ros, self.makers, self.late = ros, dict[str, Maker](), {}
        suffix = SUFFIX if kinds is PACKED else dict.fromkeys(kinds, "")
        self._publishers = {
            name: ros.create_publisher(kind, f"{namespace}/{name}{suffix[name]}", 5)
            for name, kind in kinds.items()
        }
        self._timer = ros.create_timer(0.1, self._publish)

    def show(self, shot: pear_camera.Shot, **others: Maker | None) -> None:
        """A picture of `shot`, with other makers for some of the streams."""
        self.late = {}
        self.makers = {
            "camera_info": lambda header: conversions.camera_message(shot.camera, header),
            "depth": lambda header: conversions.depth_message(shot.depth, header),
            "image": lambda header: conversions.color_message(shot.image, header),
        } | others

    def _publish(self) -> None:
        now = self.ros.get_clock().now()
        for name, publisher in self._publishers.items():
            make = self.makers.get(name)
            if make is not None:
                stamp = (now - Duration(seconds=self.late.get(name, 0.0))).to_msg()
                publisher.publish(make(Header(stamp=stamp, frame_id="optical")))

    def close(self) -> None:
        self.ros.destroy_timer(self._timer)
        for publisher in self._publishers.values():
            self.ros.destroy_publisher(publisher)


class Told:
    """What a node says on /diagnostics."""

    def __init__(self, ros: rclpy.node.Node, name: str):
        self.ros, self._name = ros, f"{name}: perception"
        self.values: dict[str, str] = {}
        self.status = DiagnosticStatus()
        self._subscription = ros.create_subscription(DiagnosticArray, "/diagnostics", self._take, 10)

    def count(self, key: str) -> int:
        return int(self.values.get(key, 0))

    def rises(self, key: str, by: int = 1) -> bool:
        before = self.count(key)
        return spin_until(self.ros, lambda: self.count(key) >= before + by)

    def why(self, code: Code) -> str:
        """Sentence of a reason that is being counted now."""
        assert self.rises(f"dropped {code.name}"), self.values
        assert self.values[f"fix {code.name}"]
        return self.values[f"why {code.name}"]

    def close(self) -> None:
        self.ros.destroy_subscription(self._subscription)

    def _take(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == self._name:
                self.status = status
                self.values = {item.key: item.value for item in status.values}


class Subject:
    """A node, its camera, and what it says."""

    def __init__(self, start, ros, name: str, kinds: dict[str, type], **settings: str):
        self.ros, self.name = ros, name
        self.told, self.camera = Told(ros, f"{name}/{name}"), Camera(ros, kinds, f"/{name}")
        self._node = start("perceive", settings | {"__node": name, "__ns": f"/{name}"})

    def healthy(self) -> None:
        """Pictures are looked at and published."""
        assert self.told.rises("pictures published"), self.told.values

    def ask(self) -> Response:
        request = TransferKeypoints.Request(class_name="pear")
        return call(self.ros, TransferKeypoints, f"/{self.name}/{self.name}/transfer_keypoints", request)

    def tune(self, **values: object) -> None:
        parameters = [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
        request = SetParameters.Request(parameters=parameters)
        service = f"/{self.name}/{self.name}/set_parameters"
        assert all(item.successful for item in call(self.ros, SetParameters, service, request).results)

    def subscribe_anew(self) -> None:
        """Nothing is remembered of the camera."""
        full_name = f"{self.name}/{self.name}"
        assert change(self.ros, full_name, Transition.TRANSITION_DEACTIVATE)
        assert change(self.ros, full_name, Transition.TRANSITION_ACTIVATE)

    def end(self) -> None:
        self.camera.close()
        self.told.close()
        status, output = self._node.stop(signal.SIGINT)
        assert status == 0, output
        assert "Traceback" not in output


@pytest.fixture(scope="module")
def shot(model):
    return pear_camera.shoot(model, 70)


@pytest.fixture(scope="module")
def settings(settings):
    return settings | {"active_classes": "[pear]"}


@pytest.fixture(scope="module")
def ill(start, ros, settings) -> Iterator[Subject]:
    """A node that needs depth, and whose camera gets every illness."""
    subject = Subject(start, ros, "ill", RAW, depth="required", **settings)
    yield subject
    subject.end()


@pytest.fixture
def healed(ill, shot) -> Iterator[Subject]:
    """Healthy before the test, and after it: every fault can be put right without a restart."""
    ill.camera.show(shot)
    ill.healthy()
    yield ill
    ill.camera.show(shot)
    ill.healthy()
    answer = ill.ask()
    assert answer.success, answer.message


def test_before_anything_arrives(ill, shot):
    assert spin_until(ill.ros, lambda: ill.told.status.message == "no image has arrived")
    assert ill.told.status.level == DiagnosticStatus.WARN
    assert ill.ask().error_code == Response.NO_IMAGE
    ill.camera.show(shot, camera_info=None)
    assert "`camera_info`" in ill.told.why(Code.NO_CAMERA_INFO)
    assert spin_until(ill.ros, lambda: ill.told.status.level == DiagnosticStatus.ERROR)
    assert ill.told.status.message.startswith("NO_CAMERA_INFO (")
    assert ill.ask().error_code == Response.NO_CAMERA_INFO
    ill.camera.show(shot)
    ill.healthy()


def uncalibrated(shot) -> dict[str, Maker]:
    def make(header: Header) -> CameraInfo:
        message = conversions.camera_message(shot.camera, header)
        message.k[:] = 0
        return message

    return {"camera_info": make}


def other_calibration(shot) -> dict[str, Maker]:
    camera = cameras.centered(500.0, (360, 640))
    return {"camera_info": lambda header: conversions.camera_message(camera, header)}


def unknown_lens(shot) -> dict[str, Maker]:
    def make(header: Header) -> CameraInfo:
        message = conversions.camera_message(shot.camera, header)
        message.distortion_model, message.d = "fisheye_of_mine", [0.1] * 4
        return message

    return {"camera_info": make}


def small_depth(shot) -> dict[str, Maker]:
    return {"depth": lambda header: conversions.depth_message(shot.depth[::2, ::2], header)}


def foreign_encoding(shot) -> dict[str, Maker]:
    def make(header: Header) -> Image:
        message = conversions.color_message(shot.image, header)
        message.encoding = "rgb565"
        return message

    return {"image": make}


def cut_off(shot) -> dict[str, Maker]:
    def make(header: Header) -> Image:
        message = conversions.depth_message(shot.depth, header)
        message.data = message.data[:100]
        return message

    return {"depth": make}


def black(shot) -> dict[str, Maker]:
    return {"image": lambda header: conversions.color_message(np.zeros_like(shot.image), header)}


def other_frame(shot) -> dict[str, Maker]:
    def make(header: Header) -> Image:
        header = Header(stamp=header.stamp, frame_id="infrared")
        return conversions.depth_message(shot.depth, header)

    return {"depth": make}


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        (uncalibrated, Code.UNCALIBRATED, "k[0] = 0"),
        (unknown_lens, Code.UNCALIBRATED, "fisheye_of_mine"),
        (other_calibration, Code.SIZE_MISMATCH, "the calibration is for 640x360 but the image is 128x96"),
        (small_depth, Code.SIZE_MISMATCH, "depth is 64x48"),
        (foreign_encoding, Code.BAD_ENCODING, "'rgb565' is not supported; use one of: rgb8"),
        (cut_off, Code.BAD_ENCODING, "there are 100 bytes"),
        (black, Code.NOT_FOUND, "pear"),
    ],
)
def test_a_fault_is_named_as_long_as_it_lasts(healed, shot, fault, code, said):
    healed.camera.show(shot, **fault(shot))
    assert said in healed.told.why(code)
    assert said in healed.told.why(code)  # still
    assert spin_until(healed.ros, lambda: healed.ask().error_code == code)


def test_frames_that_differ_are_told_once(healed, shot):
    """It may be meant: pictures go on being looked at."""
    healed.camera.show(shot, **other_frame(shot))
    assert "depth 'infrared'" in healed.told.why(Code.FRAME_MISMATCH)
    before = healed.told.count("dropped FRAME_MISMATCH")
    healed.healthy()
    assert healed.told.count("dropped FRAME_MISMATCH") == before


def test_stamps_that_differ(healed, shot):
    healed.camera.show(shot)
    healed.camera.late["depth"] = 30.0
    assert "sync_slop (0.05 s)" in healed.told.why(Code.SYNC_MISS)
    healed.subscribe_anew()
    assert spin_until(healed.ros, lambda: healed.ask().error_code == Response.SYNC_MISS)


def test_depth_that_stays_away(healed, shot):
    healed.camera.show(shot, depth=None)
    healed.subscribe_anew()
    assert spin_until(healed.ros, lambda: healed.ask().error_code == Response.NO_DEPTH)


def test_depth_without_values_leaves_points_without_position(healed, shot):
    healed.camera.show(shot, depth=lambda header: conversions.depth_message(shot.depth * 0, header))
    assert healed.told.rises("points NO_DEPTH")
    assert spin_until(healed.ros, lambda: not healed.ask().pose.metric)


def test_a_score_that_is_too_low(healed):
    healed.tune(min_score=1.0)
    assert "min_score" in healed.told.why(Code.LOW_SCORE)
    healed.tune(min_score=0.1)


def test_what_is_left_out_on_purpose_is_no_warning(healed):
    healed.tune(max_rate=1.0)
    assert "max_rate (1 per second)" in healed.told.why(Code.RATE_LIMIT)
    assert spin_until(healed.ros, lambda: healed.told.status.level == DiagnosticStatus.OK)
    healed.tune(max_rate=10.0)


def test_stamps_before_the_epoch_are_stamps_like_others(healed):
    """rclpy's own Time refuses them with an exception."""
    sender = healed.ros.create_publisher(Regions, "/ill/regions", 5)
    assert spin_until(healed.ros, sender.get_subscription_count)
    early = Regions(header=Header(frame_id="optical"))
    early.header.stamp.sec = -5

    def told() -> bool:
        sender.publish(early)  # again: who subscribes with best effort may miss the first one
        return "no regions with its stamp" in healed.told.values.get("why SYNC_MISS", "")

    assert spin_until(healed.ros, told), healed.told.values
    healed.ros.destroy_publisher(sender)


def test_the_camera_process_is_killed_and_another_one_comes(healed, shot, tmp_path):
    healed.camera.makers.clear()
    write_picture(tmp_path / "shot.npz", Picture(shot.image, shot.depth, shot.camera))
    command = [sys.executable, "-m", "benchmark.faults.camera", str(tmp_path / "shot.npz"), "--rate", "10"]
    healed.tune(max_image_age=0.5)
    for _ in range(2):
        process = subprocess.Popen([*command, "--namespace", "/ill"], cwd=ROOT, env=dict(os.environ))
        try:
            healed.healthy()
        finally:
            process.kill()
            process.wait()
        assert spin_until(healed.ros, lambda: healed.told.status.message == "images no longer arrive")
        assert spin_until(healed.ros, lambda: healed.ask().error_code == Response.NO_IMAGE)
        assert "s old" in healed.ask().message
    healed.tune(max_image_age=2.0)


def test_a_publisher_whose_quality_does_not_fit(start, ros, shot, settings):
    wish = {"qos_overrides./picky/image.subscription.reliability": "reliable"}
    subject = Subject(start, ros, "picky", RAW, **settings, **wish)
    try:
        unreliable = ros.create_publisher(Image, "/picky/image", qos_profile_sensor_data)
        why = subject.told.why(Code.QOS_INCOMPATIBLE)
        assert "offers best_effort" in why
        assert "subscribed with reliable" in why
        answer = subject.ask()
        assert answer.error_code == Response.NO_IMAGE
        assert "QOS_INCOMPATIBLE" in answer.message
        ros.destroy_publisher(unreliable)
        subject.camera.show(shot)  # by a publisher that is reliable
        subject.healthy()
    finally:
        subject.end()


def png(pixels: np.ndarray, form: str) -> Maker:
    data = camera_messages.encoded(pixels, "PNG")
    return lambda header: packed(camera_messages.compressed(data, form), header)


def test_compressed_color_and_depth(start, ros, shot, settings):
    transports = {"image_transport": "compressed", "depth_transport": "compressedDepth"}
    subject = Subject(start, ros, "packed", PACKED, depth="required", **transports, **settings)
    color = png(shot.image, "rgb8; png compressed bgr8")
    try:
        for kind in ("16UC1", "32FC1"):
            message = camera_messages.compressed_depth(shot.depth, kind)
            depth: Maker = lambda header, message=message: packed(message, header)  # noqa: E731
            subject.camera.show(shot, image=color, depth=depth)
            subject.healthy()
            answer = subject.ask()
            assert answer.success, answer.message
            assert answer.pose.metric
            assert _error(answer, shot) < 0.01
        broken = png(shot.image, "rgb8; png compressed bgr8")(Header())
        broken.data = broken.data[:200]
        subject.camera.show(shot, image=lambda header: _stamped(broken, header), depth=depth)
        assert "200 bytes" in subject.told.why(Code.BAD_ENCODING)
        rvl = packed(message, Header())
        rvl.format = "32FC1; compressedDepth rvl"
        subject.camera.show(shot, image=color, depth=lambda header: _stamped(rvl, header))
        assert spin_until(ros, lambda: "RVL" in subject.told.why(Code.BAD_ENCODING))
        subject.camera.show(shot, image=color, depth=depth)
        subject.healthy()
    finally:
        subject.end()


def test_one_eye_and_a_resolution_that_changes_up_to_twelve_megapixels(start, ros, shot, settings):
    """No depth: pixels and a pose without unit. The publishers are reliable: of large images, best effort
    would lose every one.
    """
    kinds = {name: RAW[name] for name in ("image", "camera_info")}
    subject = Subject(start, ros, "mono", kinds, max_image_age="0.0", **settings)
    try:
        for factor in (1, 5, 2, 31, 1):
            larger = pear_camera.enlarged(shot, factor)
            subject.camera.show(larger)
            answer = _in_an_image_of_width(subject, 128 * factor)
            assert not answer.pose.metric
            states = {keypoint.state for keypoint in answer.keypoints.keypoints}
            assert SemanticKeypoint.NO_DEPTH in states
            assert SemanticKeypoint.VISIBLE not in states
            found = np.array([[k.pixel.x, k.pixel.y] for k in answer.keypoints.keypoints])
            assert np.median(np.linalg.norm(found - larger.pixels, axis=1)) < 0.03 * 128 * factor
        assert not subject.told.count("dropped BAD_ENCODING")
    finally:
        subject.end()


def _in_an_image_of_width(subject: Subject, width: int) -> Response:
    """The first answer from a picture of that size: before that, others are still on their way."""
    answers = [Response()]

    def found() -> bool:
        answers[0] = subject.ask()
        most = max((keypoint.pixel.x for keypoint in answers[0].keypoints.keypoints), default=0.0)
        return answers[0].success and width / 3 < most < width

    assert spin_until(subject.ros, found), (answers, subject.told.values)
    return answers[0]


def _stamped(message: Any, header: Header) -> Any:
    message.header = header
    return message


def _error(answer: Response, shot: pear_camera.Shot) -> float:
    """Median, in metres."""
    found = np.array([[k.xyz.x, k.xyz.y, k.xyz.z] for k in answer.keypoints.keypoints])
    return float(np.nanmedian(np.linalg.norm(found - shot.keypoints, axis=1)))
