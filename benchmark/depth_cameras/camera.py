"""Play recorded frames on demand: `python -m benchmark.depth_cameras.camera ROOT --class-name CLASS`.

A std_msgs/String "NAME VARIANT" on the topic `show` says which frame is shown and how; "" stops the stream.
The headers' frame_id says it as well, so that an answer tells the picture it is about. With --class-name
every picture has the regions of a detector that sees all objects and is mistaken about other things, too.
"""

from __future__ import annotations

import argparse
import contextlib
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
import torch
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from semcorr_ros.msg import Region, Regions
from sensor_msgs.msg import CameraInfo, Image, RegionOfInterest
from std_msgs.msg import Header, String

from benchmark.depth_cameras.frames import Recording, read_all
from semcorr_ros.geometry import cameras
from semcorr_ros.ros import conversions

MILLIMETRES = 0.001
AHEAD = 3  # times that the calibration is sent before the first picture, which must not meet an older one


def frame_id(name: str, variant: str) -> str:
    """Return the frame_id in every header of a frame that is shown in some way."""
    return f"{name}/{variant}"


def _covered(recording: Recording) -> np.ndarray:
    """Clear the depth of the objects, as of glass or black plastic."""
    depth = recording.depth.copy()
    for name in recording.objects:
        x, y, w, h = recording.box(name)
        depth[y : y + h, x : x + w] = 0
    return depth


def _speck(recording: Recording) -> np.ndarray:
    """Measure a few pixels of a wall far behind, and nothing else."""
    depth = np.zeros_like(recording.depth)
    for name in recording.objects:
        x, y, w, h = recording.box(name)
        depth[y + h // 2 : y + h // 2 + 2, x + w // 2 : x + w // 2 + 2] = 5000
    return depth


# What the depth stream brings; None: there is no such stream.
VARIANTS: dict[str, Callable[[Recording], np.ndarray] | None] = {
    "depth": lambda recording: recording.depth,
    "color": None,
    "float": lambda recording: _metres(recording.depth),
    "nothing measured": lambda recording: np.zeros_like(recording.depth),
    "object not measured": _covered,
    "speck of a wall": _speck,
    "millimetres as metres": lambda recording: recording.depth.astype(np.float32),
    "60 pixels off": lambda recording: np.roll(recording.depth, 60, axis=1),
    "half size": lambda recording: np.ascontiguousarray(recording.depth[::2, ::2]),
}


def messages(recording: Recording, variant: str, class_name: str = "") -> dict[str, Any]:
    """Make the messages by topic, without stamps. class_name: of the detector; empty = there is none."""
    header = Header(frame_id=frame_id(recording.name, variant))
    size = (recording.color.shape[0], recording.color.shape[1])
    camera = cameras.from_matrix(torch.from_numpy(recording.intrinsics), size)
    told = {
        "camera_info": conversions.camera_message(camera, header),
        "image": conversions.color_message(recording.color, header),
    }
    if class_name:
        told["regions"] = _regions(recording, class_name, header)
    make = VARIANTS[variant]
    return told if make is None else {"depth": _depth_message(make(recording), header)} | told


def _regions(recording: Recording, class_name: str, header: Header) -> Regions:
    boxes = [recording.box(name) for name in recording.objects] + list(recording.negatives.values())
    rois = [RegionOfInterest(x_offset=x, y_offset=y, width=w, height=h) for x, y, w, h in boxes]
    return Regions(header=header, regions=[Region(class_name=class_name, roi=roi, score=1.0) for roi in rois])


def _metres(depth: np.ndarray) -> np.ndarray:
    return np.where(depth > 0, depth * MILLIMETRES, np.nan).astype(np.float32)


def _depth_message(depth: np.ndarray, header: Header) -> Image:
    if depth.dtype == np.uint16:
        return conversions.depth_message(depth * MILLIMETRES, header)
    message = conversions.depth_message(np.zeros(depth.shape, np.float32), header)
    message.encoding, message.step = "32FC1", 4 * depth.shape[1]
    message.data = array("B", depth.tobytes())  # an ndarray would be copied element by element
    return message


class Player(Node):
    """Publish on a timer what is shown."""

    def __init__(self, recordings: list[Recording], class_name: str, rate: float):
        super().__init__("recorded_camera")
        self._class_name = class_name
        self._recordings = {recording.name: recording for recording in recordings}
        self._shown: dict[str, Any] = {}
        self._sent = 0  # times, since another frame is shown
        kinds = {"camera_info": CameraInfo, "depth": Image, "image": Image, "regions": Regions}
        self._senders = {topic: self.create_publisher(kind, topic, 2) for topic, kind in kinds.items()}
        self._orders = self.create_subscription(String, "show", self._show, 5)
        self.create_timer(1 / rate, self._publish)

    def _show(self, order: String) -> None:
        name, _, variant = order.data.partition(" ")
        self._shown = messages(self._recordings[name], variant, self._class_name) if name else {}
        self._sent = 0

    def _publish(self) -> None:
        stamp = self.get_clock().now().to_msg()
        for topic, message in self._shown.items():
            if topic == "camera_info" or self._sent >= AHEAD:
                message.header.stamp = stamp
                self._senders[topic].publish(message)
        self._sent += 1


def main() -> int:
    """Play until a signal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("--class-name", default="", help="of the detector's regions; default: none")
    parser.add_argument("--rate", type=float, default=5.0)
    args = parser.parse_args()
    rclpy.init()
    node = Player(read_all(args.root), args.class_name, args.rate)
    with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(node)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
