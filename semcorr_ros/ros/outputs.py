"""Everything the node publishes: what is found in a picture, with the picture's stamp, and its classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from geometry_msgs.msg import Pose, PoseStamped
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from semcorr_ros.answer import Answer
from semcorr_ros.msg import (
    ClassCatalogue,
    ClassPose,
    ClassPoseArray,
    SemanticKeypoints,
    SemanticKeypointsArray,
    TransferredPose,
)
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.ros.conversions import color_message
from semcorr_ros.ros.drawing import markers
from semcorr_ros.ros.messages import class_message, instance_message, pose_message
from semcorr_ros.ros.parameters import Parameters
from semcorr_ros.ros.standard import StandardPublishers
from semcorr_ros.ros.transforms import TargetFrame, TransformSender, frame_prefix
from semcorr_ros.sensing.images import color_from_message
from semcorr_ros.sensing.picture import Picture
from semcorr_ros.serving.resident import Resident
from semcorr_ros.visualization.shapes import draw_overlay

LATCHED = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)


class Outputs:
    """Publishers of a configured node, by camera; thread-safe as rclpy publishers are."""

    def __init__(self, node: Node):
        self._node = node
        self._cameras: dict[str, _Publishers] = {}
        self._target: TargetFrame | None = None
        self._transforms: TransformSender | None = None
        self._keypoint_frames: tuple[str, ...] = ()

    def open(self, settings: Parameters) -> None:
        """Create the publishers. Raises ValueError where `target_frame` needs a tf2 that is not installed."""
        self._target = TargetFrame(self._node, settings.target_frame)
        prefix = frame_prefix(self._node, settings.frame_prefix)
        self._transforms = TransformSender(self._node, prefix) if settings.broadcast_tf else None
        self._cameras = {
            name: _Publishers(self._node, name, settings.point) for name in settings.cameras or ("",)
        }
        self._keypoint_frames = settings.keypoint_frames

    def forget_time(self) -> None:
        """Forget transforms with stamps of another time than those that come now."""
        if self._target is not None:
            self._target.forget_time()

    def close(self) -> None:
        """Destroy the publishers."""
        cameras, self._cameras = self._cameras, {}
        for publishers in cameras.values():
            publishers.close()
        target, self._target = self._target, None
        if target is not None:
            target.close()

    def publish(self, camera: str, picture: Picture, found: Sequence[Answer]) -> bool:
        """Publish all objects of one picture; an empty list says that none was found.

        False where the publishers are closed. Raises Refusal TF_MISSING and then publishes nothing: the
        latest transform would be a wrong one.
        """
        publishers, target = self._cameras.get(camera), self._target
        if publishers is None or target is None:
            return False
        instances = list(map(instance_message, found))
        poses = [pose_message(answer) for answer in found if answer.pose is not None]
        header = target.move(picture.header, instances, poses)
        publishers.publish(header, picture, instances, poses)
        if self._transforms is not None:
            self._transforms.send(header, poses, instances, self._keypoint_frames)
        return True

    def in_target_frame(self, answer: Any) -> Any:
        """Transform an answer about a camera's picture to the target frame, on the inference thread. Raises
        Refusal TF_MISSING."""
        target = self._target
        if target is not None:
            # The first of several is the same message twice, to be moved once.
            instances = [getattr(answer, "keypoints", None), *getattr(answer, "instances", [])]
            poses = [
                answer.pose,
                *(pose for pose in getattr(answer, "poses", []) if isinstance(pose, ClassPose)),
            ]
            target.move_transferred(answer.header, _transferred(answer))
            answer.header = target.move(answer.header, _each_once(instances), _each_once(poses))
        return answer

    def from_frame(self, header: Header, poses: list[PoseStamped]) -> list[Pose]:
        """Transform a caller's poses to the frame of a picture. Raises Refusal TF_MISSING, INACTIVE."""
        if self._target is None:
            raise Refusal(Code.INACTIVE, "the node is not configured")
        return self._target.from_frame(header, poses)


def _transferred(answer: Any) -> list[TransferredPose]:
    return [pose for pose in getattr(answer, "poses", []) if isinstance(pose, TransferredPose)]


def _each_once(messages: list[Any]) -> list[Any]:
    return list({id(message): message for message in messages if message is not None}.values())


class _Publishers:
    """Publishers of one camera; for a camera without name their topics are directly below the node."""

    def __init__(self, node: Node, camera: str, point: str):
        self._node = node
        prefix = f"~/{camera}" if camera else "~"
        self._keypoints = node.create_publisher(SemanticKeypointsArray, f"{prefix}/keypoints", 5)
        self._poses = node.create_publisher(ClassPoseArray, f"{prefix}/poses", 5)
        self._markers = node.create_publisher(MarkerArray, f"{prefix}/markers", 5)
        self._overlay = node.create_publisher(Image, f"{prefix}/overlay", 1)
        self._standard = StandardPublishers(node, prefix, point)

    def close(self) -> None:
        for publisher in (self._keypoints, self._poses, self._markers, self._overlay):
            self._node.destroy_publisher(publisher)
        self._standard.close()

    def publish(
        self, header: Any, picture: Picture, instances: list[SemanticKeypoints], poses: list[ClassPose]
    ) -> None:
        self._keypoints.publish(SemanticKeypointsArray(header=header, instances=instances))
        self._poses.publish(ClassPoseArray(header=header, poses=poses))
        self._standard.publish((header, picture.header), instances, poses)
        if self._markers.get_subscription_count():
            self._markers.publish(markers(header, instances))
        if self._overlay.get_subscription_count():
            image = color_from_message(picture.image).numpy()
            self._overlay.publish(color_message(draw_overlay(image, instances), picture.header))


class Catalogue:
    """~/classes: the classes that the node holds, also for late subscribers (latched)."""

    def __init__(self, node: Node):
        self._node = node
        self._publisher = node.create_publisher(ClassCatalogue, "~/classes", LATCHED)

    def publish(self, residents: list[Resident]) -> None:
        """Publish the classes in place of the last catalogue."""
        message = ClassCatalogue(stamp=self._node.get_clock().now().to_msg())
        message.classes = [class_message(resident) for resident in residents]
        self._publisher.publish(message)
