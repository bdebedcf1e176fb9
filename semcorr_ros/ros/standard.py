"""What is found, as messages of others: PoseArray, PointStamped, and vision_msgs where it is installed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from geometry_msgs.msg import PointStamped, PoseArray
from rclpy.node import Node
from std_msgs.msg import Header

from semcorr_ros.msg import ClassPose, SemanticKeypoint, SemanticKeypoints

try:
    import vision_msgs.msg as vision
except ImportError:
    vision = None


class StandardPublishers:
    """Publishers of one camera; each works only while somebody subscribes."""

    def __init__(self, node: Node, prefix: str, point: str):
        """prefix: of the topics. point: CLASS/KEYPOINT that is published alone; empty: none."""
        self._node, self._point = node, point
        kinds: dict[str, type] = {"pose_array": PoseArray}
        if point:
            kinds["point"] = PointStamped
        if vision is not None:
            kinds |= {"detections_3d": vision.Detection3DArray, "detections": vision.Detection2DArray}
        self._publishers: dict[str, Any] = {
            name: node.create_publisher(kind, f"{prefix}/{name}", 5) for name, kind in kinds.items()
        }

    def close(self) -> None:
        """Destroy the publishers."""
        for publisher in self._publishers.values():
            self._node.destroy_publisher(publisher)

    def publish(
        self, headers: tuple[Header, Header], instances: list[SemanticKeypoints], poses: list[ClassPose]
    ) -> None:
        """Publish what was found. headers: of positions, and of the picture."""
        header, picture = headers
        by_id = {pose.instance_id: pose for pose in poses}
        makers = {
            "pose_array": lambda: pose_array(header, poses),
            "point": lambda: point_of(header, instances, self._point),
            "detections_3d": lambda: detections_3d(header, poses),
            "detections": lambda: detections_2d(picture, instances, by_id),
        }
        for name, publisher in self._publishers.items():
            if publisher.get_subscription_count():
                message = makers[name]()
                if message is not None:
                    publisher.publish(message)


def pose_array(header: Header, poses: list[ClassPose]) -> PoseArray:
    """List the metric poses: the message has no field to say that a length is none."""
    return PoseArray(header=header, poses=[pose.pose for pose in poses if pose.metric])


def point_of(header: Header, instances: list[SemanticKeypoints], name: str) -> PointStamped | None:
    """Find CLASS/KEYPOINT of the first object that has a position for it; None without one."""
    class_name, _, keypoint = name.partition("/")
    for instance in instances:
        for one in instance.keypoints:
            known = math.isfinite(one.xyz.z)
            if (instance.class_name, one.name) == (class_name, keypoint) and known:
                return PointStamped(header=header, point=one.xyz)
    return None


def detections_3d(header: Header, poses: list[ClassPose]) -> Any:
    """Render poses as vision_msgs/Detection3DArray: pose with covariance, and the box around the object."""
    message = vision.Detection3DArray(header=header)
    for pose in (pose for pose in poses if pose.metric):
        detection = vision.Detection3D(header=header, id=pose.instance_id)
        result = vision.ObjectHypothesisWithPose()
        result.hypothesis.class_id, result.hypothesis.score = pose.class_name, float(pose.confidence)
        result.pose.pose = pose.pose
        # All zero is what the message has for "unknown".
        result.pose.covariance = np.zeros(36) if pose.covariance[0] < 0 else pose.covariance
        detection.results = [result]
        detection.bbox.center, detection.bbox.size = pose.pose, pose.size
        message.detections.append(detection)
    return message


def detections_2d(header: Header, instances: list[SemanticKeypoints], poses: dict[str, ClassPose]) -> Any:
    """Render keypoints as vision_msgs/Detection2DArray: the upright box around those in the picture."""
    message = vision.Detection2DArray(header=header)
    for instance in instances:
        seen = [one.pixel for one in instance.keypoints if one.state != SemanticKeypoint.OUT_OF_IMAGE]
        pixels = np.array([[pixel.x, pixel.y] for pixel in seen]).reshape(-1, 2)
        pixels = pixels[np.isfinite(pixels).all(1)]
        if not len(pixels):
            continue
        low, high = pixels.min(0), pixels.max(0)
        detection = vision.Detection2D(header=header, id=instance.instance_id)
        center = detection.bbox.center
        at = getattr(center, "position", center)  # vision_msgs 4, and 3 before it
        at.x, at.y = (float(value) for value in (low + high) / 2)
        detection.bbox.size_x, detection.bbox.size_y = (float(value) for value in high - low)
        result = vision.ObjectHypothesisWithPose()
        pose = poses.get(instance.instance_id)
        result.hypothesis.class_id = instance.class_name
        result.hypothesis.score = 0.0 if pose is None else float(pose.confidence)
        detection.results = [result]
        message.detections.append(detection)
    return message
