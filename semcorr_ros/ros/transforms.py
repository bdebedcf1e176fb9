"""One transform per object, camera frame to `<class>_<number>`, where tf2 is installed."""

from __future__ import annotations

from typing import Any

from geometry_msgs.msg import Transform, TransformStamped, Vector3
from rclpy.node import Node
from std_msgs.msg import Header

from semcorr_ros.msg import ClassPose


class TransformSender:
    """Silent without tf2, and for objects whose distance is not metric."""

    def __init__(self, node: Node):
        self._broadcaster: Any = None
        try:
            from tf2_ros import TransformBroadcaster
        except ImportError:
            node.get_logger().info("tf2_ros is not installed: no transforms are broadcast")
        else:
            self._broadcaster = TransformBroadcaster(node)

    def send(self, header: Header, poses: list[ClassPose]) -> None:
        """Broadcast the poses at the stamp of their image."""
        transforms = [_transform(header, pose) for pose in poses if pose.metric]
        if self._broadcaster is not None and transforms:
            self._broadcaster.sendTransform(transforms)


def _transform(header: Header, pose: ClassPose) -> TransformStamped:
    at, rotation = pose.pose.position, pose.pose.orientation
    transform = Transform(translation=Vector3(x=at.x, y=at.y, z=at.z), rotation=rotation)
    return TransformStamped(header=header, child_frame_id=pose.instance_id, transform=transform)
