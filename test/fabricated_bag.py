"""A bag of the pear camera (test/pear_camera.py), written by `rosbags` itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import camera_messages
import numpy as np
from pear_camera import Shot
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from semcorr_ros.files.depth import MILLIMETRES

STORE = get_typestore(Stores.ROS2_JAZZY)
REGIONS = "semcorr_ros/msg/Regions"
FOLDER = Path(__file__).resolve().parents[1] / "msg"
for name in ("Region", "Regions"):
    STORE.register(get_types_from_msg((FOLDER / f"{name}.msg").read_text(), f"semcorr_ros/msg/{name}"))
IMAGE, PACKED, INFO = (f"sensor_msgs/msg/{name}" for name in ("Image", "CompressedImage", "CameraInfo"))
RATE = 10.0
TF = "tf2_msgs/msg/TFMessage"
GEOMETRY = ("Transform", "TransformStamped", "Vector3", "Quaternion")


class Transform(NamedTuple):
    """Where a frame is in another one, at a moment or always."""

    parent: str
    child: str
    position: tuple[float, float, float]
    quaternion: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 1.0)
    seconds: float | None = None


def write_bag(
    path: Path,
    shots: list[Shot],
    kind: str = "mcap",
    packed: bool = False,
    boxes: list[list[tuple[int, int, int, int]]] | None = None,
    transforms: Sequence[Transform] = (),
) -> None:
    """image, camera_info and depth of every shot, a tenth of a second apart; `packed`: as PNG.

    boxes: (x, y, width, height) of the pears that a detector found in each shot. transforms: on /tf; those
    without a moment on /tf_static.
    """
    plugin = StoragePlugin.MCAP if kind == "mcap" else StoragePlugin.SQLITE3
    names = {
        "/camera/color/image_raw" + ("/compressed" if packed else ""): PACKED if packed else IMAGE,
        "/camera/color/camera_info": INFO,
        "/camera/depth/image_raw" + ("/compressedDepth" if packed else ""): PACKED if packed else IMAGE,
        "/imu": "sensor_msgs/msg/Imu",
    }
    if boxes is not None:
        names["/detector/regions"] = REGIONS
    with Writer(path, version=9, storage_plugin=plugin) as writer:
        topics = [writer.add_connection(topic, name, typestore=STORE) for topic, name in names.items()]
        for i, shot in enumerate(shots):
            for connection, message in zip(topics, messages(shot, 100 + i / RATE, packed), strict=False):
                raw = STORE.serialize_cdr(message, connection.msgtype)
                writer.write(connection, round((100 + i / RATE) * 1e9), raw)
            if boxes is not None:
                raw = STORE.serialize_cdr(_regions(boxes[i], 100 + i / RATE), REGIONS)
                writer.write(topics[-1], round((100 + i / RATE) * 1e9), raw)
        for topic in ("/tf", "/tf_static") if transforms else ():
            connection = writer.add_connection(topic, TF, typestore=STORE)
            for one in transforms:
                if (one.seconds is None) == (topic == "/tf_static"):
                    raw = STORE.serialize_cdr(tf_message(one), TF)
                    writer.write(connection, round((one.seconds or 100.0) * 1e9), raw)


def tf_message(one: Transform) -> Any:
    (x, y, z), (qx, qy, qz, qw) = one.position, one.quaternion
    geometry = {name: STORE.types[f"geometry_msgs/msg/{name}"] for name in GEOMETRY}
    transform = geometry["Transform"](geometry["Vector3"](x, y, z), geometry["Quaternion"](qx, qy, qz, qw))
    stamped = geometry["TransformStamped"](_header(one.seconds or 0.0, one.parent), one.child, transform)
    return STORE.types[TF]([stamped])


def _regions(boxes: list[tuple[int, int, int, int]], seconds: float) -> Any:
    make = STORE.types
    rois = [
        make["sensor_msgs/msg/RegionOfInterest"](x, y, height, width, False) for x, y, width, height in boxes
    ]
    nothing = make[IMAGE](_header(seconds), 0, 0, "", 0, 0, np.zeros(0, np.uint8))
    regions = [make["semcorr_ros/msg/Region"]("pear", "", roi, 0, 1.0) for roi in rois]
    return make[REGIONS](_header(seconds), regions, nothing)


def messages(shot: Shot, seconds: float, packed: bool) -> tuple[Any, Any, Any]:
    if packed:
        color = camera_messages.compressed(camera_messages.encoded(shot.image, "PNG"), "rgb8; png compressed")
        depth = camera_messages.compressed_depth(shot.depth, "16UC1")
        images = [_make(PACKED, m, seconds) for m in (color, depth)]
    else:
        millimetres = np.rint(shot.depth / MILLIMETRES).astype(np.uint16)  # as ros/conversions.py rounds
        color, depth = camera_messages.image(shot.image, "rgb8"), camera_messages.image(millimetres, "16UC1")
        images = [_make(IMAGE, m, seconds) for m in (color, depth)]
    return images[0], _info(shot, seconds), images[1]


def _make(kind: str, message: Any, seconds: float) -> Any:
    fields = {**vars(message), "header": _header(seconds), "data": np.asarray(message.data)}
    return STORE.types[kind](**fields)


def _info(shot: Shot, seconds: float) -> Any:
    (fx, fy), (cx, cy) = shot.camera.focal.tolist(), shot.camera.principal_point.tolist()
    roi = STORE.types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
    height, width = shot.camera.size
    return STORE.types[INFO](
        header=_header(seconds), height=height, width=width, distortion_model="plumb_bob", d=np.zeros(5),
        k=np.array([fx, 0, cx, 0, fy, cy, 0, 0, 1.0]), r=np.eye(3).reshape(-1), p=np.zeros(12),
        binning_x=0, binning_y=0, roi=roi,
    )  # fmt: skip


def _header(seconds: float, frame: str = "optical") -> Any:
    stamp = STORE.types["builtin_interfaces/msg/Time"](int(seconds), round(seconds % 1 * 1e9))
    return STORE.types["std_msgs/msg/Header"](stamp=stamp, frame_id=frame)
