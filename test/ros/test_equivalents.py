"""Same results as message_filters and cv_bridge, where a ROS installation has them."""

from __future__ import annotations

import camera_messages
import numpy as np
import pytest
from sensor_msgs.msg import Image

from semcorr_ros.sensing import images
from semcorr_ros.sensing.synchronizer import Synchronizer

ENCODINGS = {
    "rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "mono8": 1, "8UC3": 3,
    "yuv422": 2, "yuv422_yuy2": 2, "bayer_rggb8": 1, "bayer_grbg8": 1,
}  # fmt: skip


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_color_as_cv_bridge(encoding):
    cv_bridge = pytest.importorskip("cv_bridge", reason="only in a full ROS 2 installation")
    y, x = np.mgrid[:24, :32]
    channels = ENCODINGS[encoding]
    pixels = np.stack([(37 * x + 91 * y + 30 * c) % 251 for c in range(channels)], -1).astype(np.uint8)
    message = _ros(camera_messages.image(pixels[..., 0] if channels == 1 else pixels, encoding))
    if encoding == "8UC3":  # which cv_bridge does not convert: its user takes it for OpenCV's BGR
        theirs = cv_bridge.CvBridge().imgmsg_to_cv2(message, "passthrough")[..., ::-1].astype(int)
    else:
        theirs = cv_bridge.CvBridge().imgmsg_to_cv2(message, "rgb8").astype(int)
    ours = images.color_from_message(message).numpy().astype(int)
    inner = slice(2, -2)  # a mosaic's border is filled in another way
    np.testing.assert_allclose(ours[inner, inner], theirs[inner, inner], atol=2)


@pytest.mark.parametrize("encoding", ["16UC1", "32FC1"])
def test_depth_as_cv_bridge(encoding):
    cv_bridge = pytest.importorskip("cv_bridge", reason="only in a full ROS 2 installation")
    values = np.arange(12, dtype=np.uint16 if encoding == "16UC1" else np.float32).reshape(3, 4)
    message = _ros(camera_messages.image(values, encoding))
    theirs = cv_bridge.CvBridge().imgmsg_to_cv2(message, "passthrough")
    unit = 1e-3 if encoding == "16UC1" else 1.0
    np.testing.assert_allclose(images.depth_from_message(message).values.numpy(), theirs * unit, rtol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_pairs_as_message_filters(seed):
    filters = pytest.importorskip("message_filters", reason="only in a full ROS 2 installation")
    rng = np.random.default_rng(seed)
    stamps = {name: np.cumsum(rng.uniform(0.02, 0.2, 40)) for name in ("image", "depth")}
    order = sorted((float(at), name) for name in stamps for at in stamps[name])
    pairs: list[tuple[float, float]] = []
    inputs = {name: filters.SimpleFilter() for name in stamps}
    theirs = filters.ApproximateTimeSynchronizer(list(inputs.values()), 10, 0.05)
    theirs.registerCallback(lambda a, b: pairs.append((_seconds(a), _seconds(b))))
    own = Synchronizer(("image", "depth"), 0.05)
    ours = []
    for at, name in order:
        message = Image()
        message.header.stamp.sec, message.header.stamp.nanosec = int(at), round(at % 1 * 1e9)
        inputs[name].signalMessage(message)
        matched = own.add(name, _seconds(message), message)
        if matched is not None:
            ours.append((_seconds(matched["image"]), _seconds(matched["depth"])))
    assert ours == pairs


def _ros(message) -> Image:
    fields = {key: value for key, value in vars(message).items() if key not in ("header", "data")}
    built = Image(**fields)
    built.data.frombytes(message.data.tobytes())
    return built


def _seconds(message: Image) -> float:
    return message.header.stamp.sec + message.header.stamp.nanosec * 1e-9
