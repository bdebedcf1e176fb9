"""Everything the node publishes about a picture, stamped with the picture's header."""

from __future__ import annotations

from dataclasses import dataclass

from rclpy.node import Node
from sensor_msgs.msg import Image
from visualization_msgs.msg import MarkerArray

from semcorr_ros.msg import ClassPose, ClassPoseArray, SemanticKeypoints, SemanticKeypointsArray
from semcorr_ros.ros import conversions
from semcorr_ros.ros.markers import markers
from semcorr_ros.ros.overlay import draw_overlay
from semcorr_ros.ros.perception import Picture
from semcorr_ros.ros.target_frame import TargetFrame
from semcorr_ros.ros.transforms import TransformSender


@dataclass(frozen=True)
class Found:
    """One object in a picture."""

    keypoints: SemanticKeypoints
    pose: ClassPose


class Outputs:
    """Publishers; thread-safe as rclpy publishers are."""

    def __init__(self, node: Node, broadcast_tf: bool, camera: str = "", target_frame: str = ""):
        """Raises ValueError where `target_frame` needs a tf2 that is not installed."""
        self._node = node
        self.target = TargetFrame(node, target_frame)
        prefix = f"~/{camera}" if camera else "~"
        self._keypoints = node.create_publisher(SemanticKeypointsArray, f"{prefix}/keypoints", 5)
        self._poses = node.create_publisher(ClassPoseArray, f"{prefix}/poses", 5)
        self._markers = node.create_publisher(MarkerArray, f"{prefix}/markers", 5)
        self._overlay = node.create_publisher(Image, f"{prefix}/overlay", 1)
        self._transforms = TransformSender(node) if broadcast_tf else None

    def close(self) -> None:
        """Give the publishers back. Called when the node is cleaned up."""
        for publisher in (self._keypoints, self._poses, self._markers, self._overlay):
            self._node.destroy_publisher(publisher)
        self.target.close()

    def publish(self, picture: Picture, found: list[Found]) -> None:
        """All objects of one picture; an empty list says that it was looked at in vain.

        Raises Refusal TF_MISSING, and publishes nothing then: the latest transform would be a wrong one.
        """
        instances = [item.keypoints for item in found]
        poses = [item.pose for item in found]
        header = self.target.move(picture.header, instances, poses)
        self._keypoints.publish(SemanticKeypointsArray(header=header, instances=instances))
        self._poses.publish(ClassPoseArray(header=header, poses=poses))
        if self._markers.get_subscription_count():
            self._markers.publish(markers(header, instances))
        if self._overlay.get_subscription_count():
            image = conversions.color_from_message(picture.image).numpy()
            self._overlay.publish(conversions.color_message(draw_overlay(image, instances), picture.header))
        if self._transforms is not None:
            self._transforms.send(header, poses)
