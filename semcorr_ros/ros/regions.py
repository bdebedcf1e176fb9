"""Subscriptions to what detectors and segmenters find: Regions messages, and vision_msgs where they exist."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy

from semcorr_ros.msg import Regions
from semcorr_ros.sensing.regions import Marks, marks_from_detections, marks_from_regions

QOS = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)


class RegionInputs:
    """Subscribes to `regions` and, where vision_msgs is installed, `detections`, beside a camera's image."""

    def __init__(self, node: Node, camera: str, aliases: Mapping[str, str], take: Callable[[Marks], None]):
        self._node = node
        prefix = f"{camera}/" if camera else ""
        group = MutuallyExclusiveCallbackGroup()

        def regions(message: Any) -> None:
            take(marks_from_regions(message, aliases))

        def detections(message: Any) -> None:
            take(marks_from_detections(message, aliases))

        streams: list[tuple[type, str, Callable[[Any], None]]] = [(Regions, "regions", regions)]
        kind = detection_type()
        if kind is not None:
            streams.append((kind, "detections", detections))
        self._subscriptions = [
            node.create_subscription(kind, prefix + name, take, QOS, callback_group=group)
            for kind, name, take in streams
        ]

    def close(self) -> None:
        """Unsubscribe."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()


def detection_type() -> type | None:
    """Import vision_msgs/Detection2DArray, where it is installed."""
    try:
        from vision_msgs.msg import Detection2DArray
    except ImportError:
        return None
    return Detection2DArray
