"""The perceive node in its own process, called and fed over DDS."""

from __future__ import annotations

import math
import signal
from array import array
from dataclasses import replace

import numpy as np
import pear_camera
import pytest
import rclpy
from methods.semalign3d.alignment import fabricated
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from ros.conftest import UP_TIME, call, spin_until
from semcorr_ros.msg import ClassCatalogue, Point2D, SemanticKeypoint, SemanticKeypointsArray
from semcorr_ros.srv import ListClasses, LoadClass, TransferKeypoints, UnloadClass
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from semcorr_ros.methods.semalign3d.class_file import write_class
from semcorr_ros.ros import conversions

FAR = 0.01  # metres: what a transferred keypoint may be off
Response = TransferKeypoints.Response


@pytest.fixture(scope="module")
def perceive(start, settings):
    """One node for the whole module."""
    node = start("perceive", settings)
    yield node
    status, output = node.stop(signal.SIGINT)
    assert status == 0, output
    assert "Traceback" not in output


class Camera:
    """Publishes one shot again and again."""

    def __init__(self, node: rclpy.node.Node, shot: pear_camera.Shot):
        self.node, self.shot = node, shot
        self.publishers = [
            node.create_publisher(kind, topic, 5)
            for kind, topic in ((CameraInfo, "camera_info"), (Image, "depth"), (Image, "image"))
        ]

    def publish(self) -> Header:
        header = Header(stamp=self.node.get_clock().now().to_msg(), frame_id="optical")
        messages = [
            conversions.camera_message(self.shot.camera, header),
            conversions.depth_message(self.shot.depth, header),
            conversions.color_message(self.shot.image, header),
        ]
        for publisher, message in zip(self.publishers, messages, strict=True):
            publisher.publish(message)
        return header

    def close(self) -> None:
        for publisher in self.publishers:
            self.node.destroy_publisher(publisher)


def transfer(ros, **fields) -> Response:
    request = TransferKeypoints.Request(class_name="pear")
    for name, value in fields.items():
        setattr(request, name, value)
    return call(ros, TransferKeypoints, "/semcorr/transfer_keypoints", request)


def load(ros, path, active: bool = False) -> LoadClass.Response:
    return call(ros, LoadClass, "/semcorr/load_class", LoadClass.Request(path=str(path), active=active))


def inline(shot, prefix: str, depth: bool = True) -> dict:
    header = Header(frame_id="optical")
    fields = {f"{prefix}_image": conversions.color_message(shot.image, header)}
    fields[f"{prefix}_camera_info"] = conversions.camera_message(shot.camera, header)
    if depth:
        fields[f"{prefix}_depth"] = conversions.depth_message(shot.depth, header)
    return fields


def xyz(keypoint: SemanticKeypoint) -> np.ndarray:
    return np.array([keypoint.xyz.x, keypoint.xyz.y, keypoint.xyz.z])


# The order matters: these come before any camera image is published.


def test_no_image_yet(perceive, ros):
    response = transfer(ros)
    assert (response.success, response.error_code) == (False, Response.NO_IMAGE)
    assert "image" in response.message


def test_unknown_class(perceive, ros):
    response = transfer(ros, class_name="spoon")
    assert response.error_code == Response.CLASS_UNKNOWN
    assert "'spoon'" in response.message
    assert "pear" in response.message


def test_catalogue_reaches_late_subscribers(perceive, ros):
    got = []
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    subscription = ros.create_subscription(ClassCatalogue, "/semcorr/classes", got.append, latched)
    assert spin_until(ros, lambda: got)
    ros.destroy_subscription(subscription)
    assert [info.name for info in got[-1].classes] == ["pear"]
    assert list(got[-1].classes[0].keypoint_names) == [f"k{i}" for i in range(10)]
    assert got[-1].classes[0].backbone == fabricated.BACKBONE


@pytest.mark.parametrize(
    ("fields", "code", "said"),
    [
        ({"keypoint_names": ["nose"]}, Response.BAD_REQUEST, "'nose'"),
        ({"points": [Point2D()]}, Response.BAD_REQUEST, "source_image"),
        ({"timeout": -1.0}, Response.BAD_REQUEST, "timeout is in seconds"),
        ({"timeout": float("nan")}, Response.BAD_REQUEST, "timeout is in seconds"),
        ({"demonstration_id": "yesterday", "points": [Point2D()]}, Response.NO_IMAGE, "image"),
    ],
)
def test_requests_that_contradict_themselves(perceive, ros, fields, code, said):
    response = transfer(ros, **fields)
    assert response.error_code == code
    assert said in response.message


def test_bad_encoding_and_short_data(perceive, ros, model):
    shot = pear_camera.shoot(model, 40)
    fields = inline(shot, "target")
    fields["target_image"].encoding = "rgb565"
    response = transfer(ros, **fields)
    assert response.error_code == Response.BAD_ENCODING
    assert "rgb565" in response.message
    fields["target_image"].encoding = "rgb8"
    fields["target_image"].data = array("B", bytes(10))
    assert transfer(ros, **fields).error_code == Response.BAD_ENCODING


def test_depth_of_another_size_is_refused(perceive, ros, model):
    shot = pear_camera.shoot(model, 40)
    fields = inline(shot, "target")
    fields["target_depth"] = conversions.depth_message(shot.depth[::2, ::2], Header())
    response = transfer(ros, **fields)
    assert response.error_code == Response.SIZE_MISMATCH
    assert "64x48" in response.message
    assert "128x96" in response.message


def test_nothing_of_the_class_in_the_image(perceive, ros, model):
    shot = pear_camera.shoot(model, 40)
    shot.image[:] = 0
    response = transfer(ros, **inline(shot, "target"))
    assert response.error_code == Response.NOT_FOUND
    assert "pear" in response.message
    assert "region of interest" in response.message
    assert response.header.frame_id == "optical"


def test_class_keypoints_in_an_inline_image(perceive, ros, model):
    shot = pear_camera.shoot(model, 70)
    response = transfer(ros, keypoint_names=["k3", "k0"], **inline(shot, "target"))
    assert response.success, response.message
    assert response.header.frame_id == "optical"
    assert [keypoint.name for keypoint in response.keypoints.keypoints] == ["k3", "k0"]
    assert response.pose.metric
    assert response.pose.scale == pytest.approx(0.05, rel=0.2)
    errors = [
        np.linalg.norm(xyz(keypoint) - shot.keypoints[i])
        for i, keypoint in zip((3, 0), response.keypoints.keypoints, strict=True)
    ]
    assert max(errors) < 2 * FAR


def test_same_request_same_answer(perceive, ros, model):
    fields = inline(pear_camera.shoot(model, 70), "target")
    first, second = transfer(ros, **fields), transfer(ros, **fields)
    assert first.keypoints == second.keypoints
    assert first.pose == second.pose


def test_without_valid_depth_there_is_no_position(perceive, ros, model):
    shot = pear_camera.shoot(model, 70)
    shot.depth[:] = 0
    shot.depth[48:50, 64:66] = 3.0  # of the wall behind it
    response = transfer(ros, **inline(shot, "target"))
    assert response.success, response.message
    assert not response.pose.metric
    assert "hardly any depth was measured on the object" in response.message
    states = [keypoint.state for keypoint in response.keypoints.keypoints]
    assert SemanticKeypoint.NO_DEPTH in states
    assert SemanticKeypoint.VISIBLE not in states
    assert all(math.isnan(value) for k in response.keypoints.keypoints for value in xyz(k))


def test_an_unsure_answer_pretends_nothing(perceive, ros, model):
    shot = pear_camera.shoot(model, 70)
    tune(ros, 1.0)
    try:
        unsure = transfer(ros, **inline(shot, "target"))
        assert (unsure.success, unsure.error_code) == (False, Response.LOW_SCORE)
        assert {keypoint.state for keypoint in unsure.keypoints.keypoints} == {SemanticKeypoint.REJECTED}
        assert all(math.isnan(value) for k in unsure.keypoints.keypoints for value in xyz(k))
        points = [Point2D(x=float(x), y=float(y)) for x, y in shot.pixels[:1]]
        source = transfer(ros, points=points, **inline(shot, "source"), **inline(shot, "target"))
        assert source.error_code == Response.LOW_SCORE
        assert source.message.startswith("source picture: confidence")
    finally:
        tune(ros, -1.0)
    assert transfer(ros, **inline(shot, "target")).success


def tune(ros, min_score: float) -> None:
    change = Parameter("min_score", value=min_score).to_parameter_msg()
    request = SetParameters.Request(parameters=[change])
    assert call(ros, SetParameters, "/semcorr/set_parameters", request).results[0].successful


def test_points_of_a_source_picture_and_its_demonstration(perceive, ros, model):
    source, target = pear_camera.shoot(model, 60), pear_camera.shoot(model, 100)
    both = [i for i in range(10) if _in_front(source, i) and _in_front(target, i)]
    assert len(both) >= 2
    points = [Point2D(x=float(x), y=float(y)) for x, y in source.pixels[both]]
    fields = {"points": points, "keypoint_names": [f"p{i}" for i in both], "demonstration_id": "shown"}
    response = transfer(ros, **fields, **inline(source, "source"), **inline(target, "target"))
    assert response.success, response.message
    keypoints = response.keypoints.keypoints
    assert [keypoint.name for keypoint in keypoints] == [f"p{i}" for i in both]
    errors = [np.linalg.norm(xyz(k) - target.keypoints[i]) for i, k in zip(both, keypoints, strict=True)]
    assert np.median(errors) < FAR
    again = transfer(ros, **fields, **inline(target, "target"))
    assert again.success, again.message
    assert again.keypoints == response.keypoints
    for x in (500.0, float("nan")):  # not in the picture that is kept under that name
        outside = [Point2D(x=x, y=3.0)]
        refused = transfer(ros, points=outside, demonstration_id="shown", **inline(target, "target"))
        assert refused.error_code == Response.BAD_REQUEST
        assert "is outside the" in refused.message
    unknown = transfer(ros, points=points, demonstration_id="never", **inline(target, "target"))
    assert unknown.error_code == Response.DEMONSTRATION_UNKNOWN
    assert "shown" in unknown.message


def test_a_point_outside_the_source_is_refused(perceive, ros, model):
    shot = pear_camera.shoot(model, 60)
    response = transfer(
        ros, points=[Point2D(x=500.0, y=3.0)], **inline(shot, "source"), **inline(shot, "target")
    )
    assert response.error_code == Response.BAD_REQUEST
    assert "(500.0, 3.0)" in response.message


def test_load_list_and_unload(perceive, ros, model, class_file, tmp_path):
    missing = call(
        ros, LoadClass, "/semcorr/load_class", LoadClass.Request(path=str(tmp_path / "no.safetensors"))
    )
    assert missing.error_code == LoadClass.Response.BAD_FILE
    assert "no.safetensors" in missing.message
    foreign = tmp_path / "foreign.safetensors"
    write_class(foreign, replace(model, backbone="dinov2:1234"))
    mismatch = load(ros, foreign)
    assert mismatch.error_code == LoadClass.Response.BACKBONE_MISMATCH
    assert "dinov2:1234" in mismatch.message
    second = tmp_path / "quince.safetensors"
    write_class(second, replace(model, info=replace(model.info, name="quince")))
    loaded = load(ros, second)
    assert loaded.success
    assert (loaded.info.name, loaded.info.path) == ("quince", str(second))
    assert _names(ros) == ["pear", "quince"]
    gone = call(ros, UnloadClass, "/semcorr/unload_class", UnloadClass.Request(class_name="quince"))
    assert gone.success
    assert _names(ros) == ["pear"]
    again = call(ros, UnloadClass, "/semcorr/unload_class", UnloadClass.Request(class_name="quince"))
    assert again.error_code == UnloadClass.Response.CLASS_UNKNOWN


# From here on the camera runs.


def test_latest_camera_image_and_active_classes(perceive, ros, model, class_file):
    camera = Camera(ros, pear_camera.shoot(model, 70))
    sent, got = [], []

    def publish() -> None:
        sent.append(camera.publish())

    timer = ros.create_timer(0.1, publish)
    subscription = ros.create_subscription(SemanticKeypointsArray, "/semcorr/keypoints", got.append, 5)
    try:
        replies = []
        assert spin_until(ros, lambda: len(sent) > 5)
        assert spin_until(ros, lambda: replies.append(transfer(ros)) or replies[-1].success), replies[-1]
        assert replies[-1].header.stamp in [header.stamp for header in sent]
        assert replies[-1].pose.metric
        assert load(ros, class_file, active=True).info.active
        assert spin_until(ros, lambda: any(array_.instances for array_ in got))
        found = next(array_ for array_ in got if array_.instances)
        assert found.header.stamp in [header.stamp for header in sent]
        assert found.header.frame_id == "optical"
        errors = [
            np.linalg.norm(xyz(k) - camera.shot.keypoints[i])
            for i, k in enumerate(found.instances[0].keypoints)
        ]
        assert np.nanmedian(errors) < FAR
    finally:
        ros.destroy_timer(timer)
        ros.destroy_subscription(subscription)
        camera.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ends_cleanly_in_the_middle_of_a_request(start, ros, model, settings, number):
    node = start("perceive", settings | {"__node": "busy"}, FABRICATED_SECONDS="2")
    fields = inline(pear_camera.shoot(model, 70), "target")
    client = ros.create_client(TransferKeypoints, "/busy/transfer_keypoints")
    assert client.wait_for_service(UP_TIME)
    request = TransferKeypoints.Request(class_name="pear", **fields)
    client.call_async(request)
    spin_until(ros, lambda: False, 0.5)
    ros.destroy_client(client)
    status, output = node.stop(number)
    assert status == 0, output
    assert "Traceback" not in output


def _in_front(shot: pear_camera.Shot, i: int) -> bool:
    x, y = shot.pixels[i].round().astype(int)
    return shot.depth[y, x] > 0 and abs(shot.depth[y, x] - shot.keypoints[i, 2]) < 0.01


def _names(ros) -> list[str]:
    return [
        info.name for info in call(ros, ListClasses, "/semcorr/list_classes", ListClasses.Request()).classes
    ]
