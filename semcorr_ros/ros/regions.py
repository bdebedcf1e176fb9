"""Regions of interest from detectors and segmenters: Regions messages, and vision_msgs where they exist."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import RegionOfInterest

from semcorr_ros.msg import Region, Regions
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.sensing.frame import Frame
from semcorr_ros.sensing.images import labels_from_message
from semcorr_ros.sensing.place import Place, box_from_message, rectified_mask

QOS = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
MOST = 100  # regions of one image; the rest is counted and left out


class RegionInputs:
    """Subscribes to `regions` and, where vision_msgs is installed, `detections`, beside a camera's image."""

    def __init__(
        self, node: Node, camera: str, aliases: Mapping[str, str], on_regions: Callable[[Regions], None]
    ):
        self._node, self._on_regions, self._aliases = node, on_regions, aliases
        prefix = f"{camera}/" if camera else ""
        group = MutuallyExclusiveCallbackGroup()
        streams: list[tuple[type, str, Callable[[Any], None]]] = [(Regions, "regions", self._take_regions)]
        detections = detection_type()
        if detections is not None:
            streams.append((detections, "detections", self._take_detections))
        self._subscriptions = [
            node.create_subscription(kind, prefix + name, take, QOS, callback_group=group)
            for kind, name, take in streams
        ]

    def close(self) -> None:
        """Unsubscribe."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()

    def _take_regions(self, message: Regions) -> None:
        for region in message.regions:
            region.class_name = self._aliases.get(region.class_name, region.class_name)
        self._on_regions(message)

    def _take_detections(self, message: Any) -> None:
        self._take_regions(regions_from_detections(message))


def detection_type() -> type | None:
    """vision_msgs/Detection2DArray, where it is installed."""
    try:
        from vision_msgs.msg import Detection2DArray
    except ImportError:
        return None
    return Detection2DArray


def regions_from_detections(message: Any) -> Regions:
    """Boxes of a vision_msgs/Detection2DArray, each under its best hypothesis. Turned boxes are widened."""
    regions = Regions(header=message.header)
    for detection in message.detections:
        best = max(detection.results, key=lambda result: result.hypothesis.score, default=None)
        if best is None:
            continue
        center = detection.bbox.center
        at = getattr(center, "position", center)  # vision_msgs 4, and 3 before it
        c, s = abs(math.cos(center.theta)), abs(math.sin(center.theta))
        w, h = detection.bbox.size_x, detection.bbox.size_y
        width, height = w * c + h * s, w * s + h * c
        numbers = (at.x - width / 2, at.y - height / 2, at.x + width / 2, at.y + height / 2)
        if not all(map(math.isfinite, numbers)):
            continue
        left, top, right, bottom = (max(0, round(value)) for value in numbers)
        roi = RegionOfInterest(x_offset=left, y_offset=top, width=right - left, height=bottom - top)
        region = Region(class_name=best.hypothesis.class_id, instance_id=detection.id, roi=roi)
        region.score = float(best.hypothesis.score)
        regions.regions.append(region)
    return regions


def places(regions: Regions, frame: Frame) -> list[tuple[Region, Place]]:
    """Where the regions of a message are in its image. Boxes are cut at the border, empty ones left out.

    Raises Refusal BAD_ENCODING, SIZE_MISMATCH for the label image.
    """
    height, width = frame.image.shape[:2]
    labels = None
    if regions.labels.width:
        labels = labels_from_message(regions.labels)
        if tuple(labels.shape) != (height, width):
            h, w = labels.shape
            raise Refusal(Code.SIZE_MISMATCH, f"labels are {w}x{h} but the image is {width}x{height}")
    found = []
    for region in regions.regions[:MOST]:
        if labels is not None and region.label:
            mask = rectified_mask(labels == int(region.label), frame)
            if mask.any():
                found.append((region, Place(mask=mask)))
            continue
        roi = region.roi
        roi.x_offset, roi.y_offset = min(roi.x_offset, int(width)), min(roi.y_offset, int(height))
        roi.width = min(roi.width, int(width) - roi.x_offset)
        roi.height = min(roi.height, int(height) - roi.y_offset)
        try:
            box = box_from_message(roi, (int(height), int(width)))
        except Refusal:  # hardly larger than a point, or outside of the image
            continue
        if box is not None:
            found.append((region, Place(box=box)))
    return found
