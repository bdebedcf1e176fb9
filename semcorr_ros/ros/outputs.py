"""Everything the node publishes about a picture, stamped with the picture's header."""

from __future__ import annotations

from dataclasses import dataclass

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
from visualization_msgs.msg import MarkerArray

from semcorr_ros.msg import (
    ClassCatalogue,
    ClassInfo,
    ClassPose,
    ClassPoseArray,
    SemanticKeypoints,
    SemanticKeypointsArray,
)
from semcorr_ros.ros import conversions
from semcorr_ros.ros.class_bank import Resident
from semcorr_ros.ros.markers import markers
from semcorr_ros.ros.messages import class_message
from semcorr_ros.ros.overlay import draw_overlay
from semcorr_ros.ros.perception import Picture
from semcorr_ros.ros.transforms import TransformSender

LATCHED = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)


@dataclass(frozen=True)
class Found:
    """One object in a picture."""

    keypoints: SemanticKeypoints
    pose: ClassPose


class Outputs:
    """Publishers; thread-safe as rclpy publishers are."""

    def __init__(self, node: Node, broadcast_tf: bool):
        self._node = node
        self._keypoints = node.create_publisher(SemanticKeypointsArray, "~/keypoints", 5)
        self._poses = node.create_publisher(ClassPoseArray, "~/poses", 5)
        self._markers = node.create_publisher(MarkerArray, "~/markers", 5)
        self._overlay = node.create_publisher(Image, "~/overlay", 1)
        self._classes = node.create_publisher(ClassCatalogue, "~/classes", LATCHED)
        self._transforms = TransformSender(node) if broadcast_tf else None

    def publish(self, picture: Picture, found: list[Found]) -> None:
        """All objects of one picture; an empty list says that it was looked at in vain."""
        instances = [item.keypoints for item in found]
        poses = [item.pose for item in found]
        self._keypoints.publish(SemanticKeypointsArray(header=picture.header, instances=instances))
        self._poses.publish(ClassPoseArray(header=picture.header, poses=poses))
        if self._markers.get_subscription_count():
            self._markers.publish(markers(picture.header, instances))
        if self._overlay.get_subscription_count():
            image = conversions.color_from_message(picture.image).numpy()
            self._overlay.publish(conversions.color_message(draw_overlay(image, instances), picture.header))
        if self._transforms is not None:
            self._transforms.send(picture.header, poses)

    def publish_catalogue(self, residents: list[Resident]) -> None:
        """Tell late and present subscribers alike what the node holds."""
        message = ClassCatalogue(stamp=self._node.get_clock().now().to_msg())
        message.classes = [resident_message(resident) for resident in residents]
        self._classes.publish(message)


def resident_message(resident: Resident) -> ClassInfo:
    """ClassInfo of a loaded class."""
    return class_message(resident.model, str(resident.path), resident.version, resident.active)
