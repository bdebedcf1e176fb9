"""A bag replayed without ROS says what the node says about the same picture over DDS."""

from __future__ import annotations

import numpy as np
import pear_camera
import pytest
from builtin_interfaces.msg import Time
from methods.semalign3d.alignment import fabricated
from ros.conftest import call, spin_until
from semcorr_ros.msg import Region, Regions, SemanticKeypointsArray
from semcorr_ros.srv import TransferKeypoints
from sensor_msgs.msg import CameraInfo, Image, RegionOfInterest
from std_msgs.msg import Header

from semcorr_ros.__main__ import main
from semcorr_ros.methods.semalign3d.class_file import write_class
from semcorr_ros.ros import conversions
from semcorr_ros.storage import read_json

pytest.importorskip("rosbags", reason="pip install 'semcorr_ros[bags]'")
import fabricated_bag


def test_the_same_numbers(start, ros, tmp_path, fabricated_backbone):
    model = fabricated.make_class()
    shot = pear_camera.shoot(model, 70)
    path = tmp_path / "pear.safetensors"
    write_class(path, model)
    node = start(
        "perceive", {"backbone": "fabricated", "classes": f"[{path}]", "__node": "live", "threads": "1"}
    )
    header = Header(frame_id="optical")
    request = TransferKeypoints.Request(
        class_name="pear",
        target_image=conversions.color_message(shot.image, header),
        target_depth=conversions.depth_message(shot.depth, header),
        target_camera_info=conversions.camera_message(shot.camera, header),
    )
    live = call(ros, TransferKeypoints, "/live/transfer_keypoints", request)
    assert live.success, live.message
    node.stop()
    fabricated_bag.write_bag(tmp_path / "bag", [shot])
    arguments = ["--class-file", str(path), "--backbone", "fabricated", "--threads", "1"]
    assert main(["replay", str(tmp_path / "bag"), *arguments, "--output", str(tmp_path / "out.json")]) == 0
    (found,) = read_json(tmp_path / "out.json")["frames"][0]["objects"]
    recorded = {row["name"]: row for row in found["keypoints"]}
    for keypoint in live.keypoints.keypoints:
        row = recorded[keypoint.name]
        at = [keypoint.xyz.x, keypoint.xyz.y, keypoint.xyz.z]
        np.testing.assert_allclose(at, row["xyz"] or [np.nan] * 3, atol=1e-6)
        np.testing.assert_allclose([keypoint.pixel.x, keypoint.pixel.y], row["pixel"], atol=1e-3)
        np.testing.assert_allclose(keypoint.covariance, np.reshape(row["covariance"], -1), rtol=1e-3)
    assert live.pose.confidence == pytest.approx(found["confidence"], abs=1e-6)


def test_a_stream_has_the_same_objects_with_the_same_numbers(
    start, ros, model, tmp_path, fabricated_backbone
):
    """Two pears, found by a detector that names them in another order each time, then one, then both."""
    shots = [pear_camera.side_by_side(model, 70 + 2 * i, 100 - 2 * i) for i in range(4)]
    boxes = [[pear_camera.box(shot, half) for half in halves] for shot, halves in zip(
        shots, [(0, 1), (1, 0), (1,), (0, 1)], strict=True)]  # fmt: skip
    path = tmp_path / "pear.safetensors"
    write_class(path, model)
    given = {"backbone": "fabricated", "classes": f"[{path}]", "threads": "1", "quality": "tracking"}
    streams = {"active_classes": "[pear]", "depth": "required", "regions": "required", "max_rate": "0.0"}
    node = start("perceive", given | streams | {"__node": "seer"})
    live = _played(ros, shots, boxes)
    node.stop()
    fabricated_bag.write_bag(tmp_path / "bag", shots, boxes=boxes)
    arguments = [
        "--class-file",
        str(path),
        "--backbone",
        "fabricated",
        "--threads",
        "1",
        "--quality",
        "tracking",
    ]
    arguments += ["--depth-mode", "required", "--regions-mode", "required"]
    assert main(["replay", str(tmp_path / "bag"), *arguments, "--output", str(tmp_path / "out.json")]) == 0
    content = read_json(tmp_path / "out.json")
    assert content["topics"]["regions"] == "/detector/regions"
    for message, frame, wanted in zip(live, content["frames"], boxes, strict=True):
        assert len(message.instances) == len(frame["objects"]) == len(wanted)
        for instance, found in zip(message.instances, frame["objects"], strict=True):
            assert instance.instance_id == found["instance_id"]
            for keypoint, row in zip(instance.keypoints, found["keypoints"], strict=True):
                assert keypoint.name == row["name"]
                at = [keypoint.xyz.x, keypoint.xyz.y, keypoint.xyz.z]
                np.testing.assert_allclose(at, row["xyz"] or [np.nan] * 3, atol=1e-6)
    numbers = [[found["instance_id"] for found in frame["objects"]] for frame in content["frames"]]
    assert numbers == [["pear_0", "pear_1"], ["pear_1", "pear_0"], ["pear_1"], ["pear_0", "pear_1"]]


def _played(ros, shots, boxes) -> list[SemanticKeypointsArray]:
    """Show the node one picture after the other, each when the one before was answered; its answers."""
    got: list[SemanticKeypointsArray] = []
    subscription = ros.create_subscription(SemanticKeypointsArray, "/seer/keypoints", got.append, 10)
    kinds = {"camera_info": CameraInfo, "depth": Image, "regions": Regions, "image": Image}
    publishers = {name: ros.create_publisher(kind, name, 5) for name, kind in kinds.items()}

    def show(shot, places, header) -> None:
        regions = [
            Region(class_name="pear", roi=RegionOfInterest(x_offset=x, y_offset=y, width=w, height=h))
            for x, y, w, h in places
        ]
        publishers["camera_info"].publish(conversions.camera_message(shot.camera, header))
        publishers["depth"].publish(conversions.depth_message(shot.depth, header))
        publishers["regions"].publish(Regions(header=header, regions=regions))
        publishers["image"].publish(conversions.color_message(shot.image, header))

    tries = iter(range(1000))  # pictures in which a detector found nothing, until both sides know each other
    while not got:
        show(shots[0], [], Header(stamp=Time(sec=next(tries)), frame_id="optical"))
        spin_until(ros, lambda: bool(got), 0.5)
    spin_until(ros, lambda: False, 1.0)
    got.clear()
    for i, (shot, places) in enumerate(zip(shots, boxes, strict=True)):
        show(shot, places, Header(stamp=Time(sec=2000, nanosec=i * 100_000_000), frame_id="optical"))
        assert spin_until(ros, lambda: len(got) > i), f"nothing said of picture {i}"  # noqa: B023
    for publisher in publishers.values():
        ros.destroy_publisher(publisher)
    ros.destroy_subscription(subscription)
    return got
