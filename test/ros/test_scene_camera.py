"""The simulated camera: four messages with one stamp, true to each other."""

from __future__ import annotations

import signal

import numpy as np
import pytest
import torch
from ros.conftest import spin_until
from semcorr_ros.msg import SemanticKeypoint, SemanticKeypointsArray
from sensor_msgs.msg import CameraInfo, Image

from semcorr_ros.geometry import cameras
from semcorr_ros.sensing import calibration, images

pytest.importorskip("embreex", reason="pip install 'semcorr_ros[synthetic]'")
TOPICS = {
    "image": Image,
    "depth": Image,
    "camera_info": CameraInfo,
    "scene_camera/true_keypoints": SemanticKeypointsArray,
}


@pytest.fixture(scope="module")
def moment(start, ros):
    """The four messages of one stamp, and a second round later."""
    node = start("scene_camera", {"views": "2", "width": "160", "height": "120", "rate": "5.0"})
    got = {topic: {} for topic in TOPICS}
    for topic, kind in TOPICS.items():

        def keep(message, into=got[topic]) -> None:
            into[message.header.stamp.sec, message.header.stamp.nanosec] = message

        ros.create_subscription(kind, topic, keep, 10)

    def complete() -> list:
        return sorted(set.intersection(*(set(messages) for messages in got.values())))

    assert spin_until(ros, lambda: len(complete()) >= 3), {topic: len(m) for topic, m in got.items()}
    status, output = node.stop(signal.SIGINT)
    assert status == 0, output
    assert "Traceback" not in output
    stamp = complete()[-1]
    return {topic.rpartition("/")[2]: messages[stamp] for topic, messages in got.items()}


def test_frames_and_sizes(moment):
    assert {message.header.frame_id for message in moment.values()} == {"camera_optical_frame"}
    assert moment["image"].encoding == "rgb8"
    assert moment["depth"].encoding == "16UC1"
    sizes = {(moment[name].height, moment[name].width) for name in ("image", "depth", "camera_info")}
    assert sizes == {(120, 160)}


def test_true_keypoints_project_onto_their_pixels_and_lie_on_the_depth(moment):
    camera, _ = calibration.camera_from_message(moment["camera_info"], (120, 160))
    depth = images.depth_from_message(moment["depth"]).values.numpy()
    keypoints = moment["true_keypoints"].instances[0].keypoints
    xyz = np.array([[k.xyz.x, k.xyz.y, k.xyz.z] for k in keypoints])
    pixels = np.array([[k.pixel.x, k.pixel.y] for k in keypoints])
    projected = cameras.project(torch.from_numpy(xyz).float(), camera).numpy()
    np.testing.assert_allclose(projected, pixels, atol=0.05)
    visible = [i for i, k in enumerate(keypoints) if k.state == SemanticKeypoint.VISIBLE]
    assert len(visible) >= 3
    x, y = pixels[visible].round().astype(int).T
    near = np.abs(depth[y, x] - xyz[visible, 2])
    assert np.median(near) < 0.005
