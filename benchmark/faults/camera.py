"""A camera process that shows one picture again and again: `python -m benchmark.faults.camera FILE --rate N`.

FILE is written by `write_picture`. It ends by a signal, as cameras do when their cable is pulled.
"""

from __future__ import annotations

import argparse
import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
import torch
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from semcorr_ros.artifacts import Camera
from semcorr_ros.ros import conversions


@dataclass(frozen=True)
class Picture:
    """What the camera shows."""

    image: np.ndarray  # uint8 (H, W, 3)
    depth: np.ndarray  # float32 metres (H, W)
    camera: Camera

    def messages(self, header: Header) -> dict[str, Any]:
        """By topic."""
        return {
            "camera_info": conversions.camera_message(self.camera, header),
            "depth": conversions.depth_message(self.depth, header),
            "image": conversions.color_message(self.image, header),
        }


def write_picture(path: Path, picture: Picture) -> None:
    """Raises OSError."""
    focal, center = picture.camera.focal.numpy(), picture.camera.principal_point.numpy()
    np.savez(path, image=picture.image, depth=picture.depth, focal=focal, center=center)


def read_picture(path: Path) -> Picture:
    """Raises OSError."""
    with np.load(path, allow_pickle=False) as stored:
        size = (stored["image"].shape[0], stored["image"].shape[1])
        camera = Camera(torch.from_numpy(stored["focal"]), torch.from_numpy(stored["center"]), size)
        return Picture(stored["image"], stored["depth"], camera)


class CameraNode(Node):
    """Publishes on a timer."""

    def __init__(self, picture: Picture, rate: float):
        super().__init__("faulty_camera")
        self._messages = picture.messages(Header())
        kinds = {"camera_info": CameraInfo, "depth": Image, "image": Image}
        self._senders = {topic: self.create_publisher(kind, topic, 2) for topic, kind in kinds.items()}
        self.create_timer(1 / rate, self._publish)

    def _publish(self) -> None:
        header = Header(stamp=self.get_clock().now().to_msg(), frame_id="optical")
        for topic, message in self._messages.items():
            message.header = header
            self._senders[topic].publish(message)


def main() -> int:
    """Until a signal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--rate", type=float, default=10.0)
    parser.add_argument("--namespace", default="/")
    args = parser.parse_args()
    rclpy.init(args=["--ros-args", "-r", f"__ns:={args.namespace}"])
    node = CameraNode(read_picture(args.picture), args.rate)
    with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(node)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
