"""A small bag and a small mesh to be damaged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from semcorr_lab.synthetic.glb import load_parts
from semcorr_ros.bags.bag import open_bag
from semcorr_ros.sensing.images import depth_from_message

STORE = get_typestore(Stores.ROS2_JAZZY)
IMAGE, INFO = "sensor_msgs/msg/Image", "sensor_msgs/msg/CameraInfo"
MILLIMETRES = (500, 600, 700)


def write_bag(root: Path) -> Path:
    """Write depth of `MILLIMETRES`, and return the file."""
    make = STORE.types
    roi = make["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
    with Writer(root / "bag", version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        names = {"/c/rgb": IMAGE, "/c/depth": IMAGE, "/c/camera_info": INFO}
        topics = [writer.add_connection(topic, name, typestore=STORE) for topic, name in names.items()]
        for i, value in enumerate(MILLIMETRES):
            stamp = make["builtin_interfaces/msg/Time"](i, 0)
            header = make["std_msgs/msg/Header"](stamp=stamp, frame_id="camera")
            depth = np.full((4, 6), value, np.uint16).view(np.uint8).reshape(-1)
            messages = (
                make[IMAGE](header, 4, 6, "rgb8", 0, 18, np.zeros(72, np.uint8)),
                make[IMAGE](header, 4, 6, "16UC1", 0, 12, depth),
                make[INFO](
                    header=header, height=4, width=6, distortion_model="plumb_bob", d=np.zeros(5),
                    k=np.array([5, 0, 3, 0, 5, 2, 0, 0, 1.0]), r=np.eye(3).reshape(-1), p=np.zeros(12),
                    binning_x=0, binning_y=0, roi=roi,
                ),
            )  # fmt: skip
            for connection, message in zip(topics, messages, strict=True):
                writer.write(connection, i * 10**9, STORE.serialize_cdr(message, connection.msgtype))
    return next((root / "bag").glob("*.mcap"))


def check_bag(root: Path) -> str:
    """Read all depth; fewer pictures than were written must be said. Their pixels have no checksum."""
    with open_bag(
        root / "bag", {"image": "/c/rgb", "depth": "/c/depth", "camera_info": "/c/camera_info"}
    ) as bag:
        depths = [_middle(one.message) for one in bag.messages() if one.stream == "depth"]
        said = bool(bag.notes)
    if not said and len(depths) < len(MILLIMETRES):
        return f"{len(depths)} of {len(MILLIMETRES)} depth images, nothing is said"
    return ""


def _middle(message: Any) -> int:
    return round(1000 * float(depth_from_message(message).values[2, 3]))


def write_mesh(root: Path) -> Path:
    """Write a box."""
    trimesh.creation.box(extents=(2, 1, 1)).export(root / "box.glb")
    return root / "box.glb"


def check_mesh(root: Path) -> str:
    """Read the box. Its numbers have no checksum: only that they are numbers can be checked."""
    parts = load_parts(root / "box.glb")
    return "" if all(np.isfinite(part.mesh.vertices).all() for part in parts) else "vertices are no numbers"
