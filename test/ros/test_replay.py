"""A bag replayed without ROS says what the node says about the same picture over DDS."""

from __future__ import annotations

import numpy as np
import pear_camera
import pytest
from methods.semalign3d.alignment import fabricated
from ros.conftest import call
from semcorr_ros.srv import TransferKeypoints
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
