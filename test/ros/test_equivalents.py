"""Same results as message_filters and cv_bridge, where a ROS installation has them."""

from __future__ import annotations

from types import SimpleNamespace

import camera_messages
import numpy as np
import pytest
from geometry_msgs.msg import Quaternion, TransformStamped
from rclpy.time import Time
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from semcorr_ros.bags.recorded_frames import RecordedFrames
from semcorr_ros.refusal import Refusal
from semcorr_ros.ros import bridge, pairing
from semcorr_ros.ros.transforms import as_arrays
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


@pytest.mark.parametrize("encoding", images.COLOR)
def test_the_node_decodes_the_same_pixels_with_and_without_cv_bridge(encoding):
    element, channels, _ = images.COLOR[encoding]
    pixels = np.random.default_rng(0).integers(0, np.iinfo(element).max, (24, 32, channels), element)
    message = camera_messages.image(pixels[..., 0] if channels == 1 else pixels, encoding)
    wanted = images.color_from_message(message)
    assert (bridge.color_from_message(_ros(message)) == wanted).all()
    rows = np.pad(message.data.reshape(24, -1), ((0, 0), (0, 5)))  # cv_bridge would shift them
    message.data, message.step = rows.reshape(-1), rows.shape[1]
    assert (bridge.color_from_message(_ros(message)) == wanted).all()
    message.height += 1
    with pytest.raises(Refusal, match="needs rows of"):
        bridge.color_from_message(_ros(message))


def test_cv_bridge_is_used_where_it_is():
    pytest.importorskip("cv_bridge", reason="only in a full ROS 2 installation")
    assert bridge.BRIDGE is not None


@pytest.mark.parametrize("seed", range(5))
def test_the_node_pairs_the_same_messages_with_and_without_message_filters(seed):
    """Regular streams, then the bag starts again: same pairs, same count of what was given up."""
    found = []
    for made in (Synchronizer(("image", "depth"), 0.05), pairing.synchronizer(("image", "depth"), 0.05)):
        rng, pairs = np.random.default_rng(seed), []
        for _ in range(2):
            stamps = {name: 5 + np.cumsum(rng.uniform(0.02, 0.2, 40)) for name in ("image", "depth")}
            for at, stream in sorted((float(at), name) for name in stamps for at in stamps[name]):
                message = _stamped(at)
                matched = made.add(stream, _seconds(message), message)
                if matched is not None:
                    pairs.append((_seconds(matched["image"]), _seconds(matched["depth"])))
        found.append((pairs, made.dropped))
        assert made.add("image", -1.0, _stamped(-1.0)) is None  # rclpy raises for such a stamp
    assert found[0] == found[1]
    assert len(found[0][0]) > 10


def test_message_filters_is_used_where_it_is():
    pytest.importorskip("message_filters", reason="only in a full ROS 2 installation")
    assert isinstance(pairing.synchronizer(("a", "b"), 0.1), pairing.FilterSynchronizer)


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
        message = _stamped(at)
        inputs[name].signalMessage(message)
        matched = own.add(name, _seconds(message), message)
        if matched is not None:
            ours.append((_seconds(matched["image"]), _seconds(matched["depth"])))
    assert ours == pairs


def test_recorded_transforms_as_tf2():
    """A joint that moves, a static one, a cup that is put elsewhere; within and beyond what is known."""
    tf2 = pytest.importorskip("tf2_ros", reason="only in a full ROS 2 installation")
    rng, frames, buffer = np.random.default_rng(5), RecordedFrames(), tf2.Buffer()
    places = [("base", "wrist", 1.0), ("base", "wrist", 1.4), ("base", "wrist", 2.0), ("wrist", "eye", None),
              ("base", "cup", 1.0), ("table", "cup", 1.5), ("base", "table", None)]  # fmt: skip
    for parent, child, seconds in places:
        message = _transform(parent, child, seconds or 0.0, rng)
        frames.add(SimpleNamespace(transforms=[message]), static=seconds is None)
        (buffer.set_transform if seconds is not None else buffer.set_transform_static)(message, "test")
    compared = 0
    for target, source in (
        ("base", "eye"),
        ("eye", "base"),
        ("cup", "eye"),
        ("eye", "cup"),
        ("base", "table"),
    ):
        for seconds in (0.9, 1.0, 1.1, 1.3, 1.4, 1.5, 1.9, 2.0, 2.1):
            header = _header(source, seconds)
            try:
                theirs = buffer.lookup_transform(target, source, Time.from_msg(header.stamp)).transform
            except tf2.TransformException:
                with pytest.raises(Refusal, match="no transform"):
                    frames.lookup(target, header)
                continue
            rotation, translation = as_arrays(theirs)
            ours = frames.lookup(target, header)
            np.testing.assert_allclose(ours[:3, :3], rotation, atol=1e-6)
            np.testing.assert_allclose(ours[:3, 3], translation, atol=1e-6)
            compared += 1
    assert 20 < compared < 45


def _header(frame: str, seconds: float) -> Header:
    header = Header(frame_id=frame)
    header.stamp.sec, header.stamp.nanosec = int(seconds), round(seconds % 1 * 1e9)
    return header


def _transform(parent: str, child: str, seconds: float, rng: np.random.Generator) -> TransformStamped:
    message = TransformStamped(header=_header(parent, seconds), child_frame_id=child)
    turn = rng.normal(size=4)
    x, y, z, w = (turn / np.linalg.norm(turn)).tolist()
    message.transform.rotation = Quaternion(x=x, y=y, z=z, w=w)
    message.transform.translation.x, message.transform.translation.y = rng.normal(size=2).tolist()
    return message


def _ros(message) -> Image:
    fields = {key: value for key, value in vars(message).items() if key not in ("header", "data")}
    built = Image(**fields)
    built.data.frombytes(message.data.tobytes())
    return built


def _stamped(at: float) -> Image:
    message = Image()
    message.header.stamp.sec, message.header.stamp.nanosec = int(at // 1), round(at % 1 * 1e9)
    return message


def _seconds(message: Image) -> float:
    return message.header.stamp.sec + message.header.stamp.nanosec * 1e-9
