"""tf2: answers in another frame than the camera's, and one transform per object.

Answers are moved by the transform at the stamp of their image: on a moving camera the latest one belongs to
another picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from geometry_msgs.msg import (
    Point,
    Pose,
    PoseStamped,
    Quaternion,
    Transform,
    TransformStamped,
    Vector3,
)
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time
from std_msgs.msg import Header

from semcorr_ros.geometry.rotations import from_quaternion, to_quaternion
from semcorr_ros.geometry.taken import upright_turn
from semcorr_ros.msg import ClassPose, SemanticKeypoints, TransferredPose
from semcorr_ros.node_options import EVERY, NAMESPACE, NO_PREFIX
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.sensing.frames import check_header, moved_covariance

PATIENCE = 0.1  # seconds: transforms arrive a little after the images they belong to


class TargetFrame:
    """Transforms answers to `frame`; an empty one leaves them in the camera's."""

    def __init__(self, node: Node, frame: str):
        """Raises ValueError where a frame is given and tf2 is not installed."""
        self.frame = frame
        self.buffer: Any = None
        self._listener: Any = None
        if frame:
            try:
                from tf2_ros import Buffer, TransformListener
            except ImportError as error:
                raise ValueError(
                    f"target_frame {frame!r} needs tf2_ros, which is not installed: install it, or leave "
                    "target_frame empty and transform the answers yourself"
                ) from error
            self.buffer = Buffer()
            self._listener = TransformListener(self.buffer, node)

    def forget_time(self) -> None:
        """Forget transforms of another time than that of those that come now."""
        if self.buffer is not None:
            self.buffer.clear()

    def close(self) -> None:
        """Unsubscribe."""
        if self._listener is not None:
            self._listener.unregister()

    def move(self, header: Header, instances: list[SemanticKeypoints], poses: list[ClassPose]) -> Header:
        """Transform everything in place; return the new header. Raises Refusal TF_MISSING.

        Waits for the transform: call it on the inference thread.
        """
        if not self.frame or header.frame_id == self.frame:
            return header
        check_header(header, self.frame)
        rotation, translation = as_arrays(self._lookup(header))
        for instance in instances:
            for keypoint in instance.keypoints:
                keypoint.xyz = moved_point(keypoint.xyz, rotation, translation)
                keypoint.covariance = moved_covariance(keypoint.covariance, rotation)
        for pose in poses:
            move_pose(pose, rotation, translation)
        return Header(stamp=header.stamp, frame_id=self.frame)

    def move_transferred(self, header: Header, poses: list[TransferredPose]) -> None:
        """Transform poses of a gripper in place. Raises Refusal TF_MISSING."""
        if not self.frame or header.frame_id == self.frame:
            return
        check_header(header, self.frame)
        rotation, translation = as_arrays(self._lookup(header))
        for pose in poses:
            pose.pose.header = Header(stamp=header.stamp, frame_id=self.frame)
            pose.pose.pose = moved_pose(pose.pose.pose, rotation, translation)
            pose.covariance = moved_covariance(pose.covariance, rotation)

    def from_frame(self, header: Header, poses: list[PoseStamped]) -> list[Pose]:
        """Transform a caller's poses to the frame of a picture, at its stamp. Raises Refusal TF_MISSING."""
        moved = []
        for pose in poses:
            frame = pose.header.frame_id
            if frame in ("", header.frame_id):
                moved.append(pose.pose)
                continue
            if self.buffer is None:
                raise Refusal(
                    Code.TF_MISSING,
                    f"the pose is in frame {frame!r} and the picture in {header.frame_id!r}: transform the "
                    "pose, or set the parameter target_frame, without which the node does not listen to tf2",
                )
            check_header(header, frame)
            rotation, translation = as_arrays(self._lookup(header, frame))
            moved.append(moved_pose(pose.pose, rotation.T, -rotation.T @ translation))
        return moved

    def _lookup(self, header: Header, target: str = "") -> Transform:
        target = target or self.frame
        try:
            return self.buffer.lookup_transform(
                target, header.frame_id, Time.from_msg(header.stamp), Duration(seconds=PATIENCE)
            ).transform
        except Exception as error:  # tf2's own exceptions have no common base in every distribution
            raise Refusal(
                Code.TF_MISSING,
                f"no transform from {header.frame_id!r} to {target!r} at the stamp of the image: {error}",
            ) from error


class Gravity:
    """Tells by tf2 which way up a camera's pictures are. Needs tf2."""

    def __init__(self, node: Node, up_frame: str):
        """Listen. up_frame: whose z axis points up."""
        from tf2_ros import Buffer, TransformListener

        self._frame, self._buffer = up_frame, Buffer()
        self._listener = TransformListener(self._buffer, node)
        self._turns: dict[str, int] = {}  # the latest of each camera frame

    def close(self) -> None:
        """Unsubscribe."""
        self._listener.unregister()

    def turn(self, header: Header) -> int:
        """Find the degrees clockwise that make a picture upright; the last ones where the camera looks
        straight up or down. Raises Refusal TF_MISSING.

        Waits for the transform: call it on the inference thread.
        """
        try:
            found = self._buffer.lookup_transform(
                header.frame_id, self._frame, Time.from_msg(header.stamp), Duration(seconds=PATIENCE)
            ).transform
        except Exception as error:  # tf2's own exceptions have no common base in every distribution
            raise Refusal(
                Code.TF_MISSING,
                f"rotate is auto, but there is no transform from up_frame {self._frame!r} to "
                f"{header.frame_id!r} at the stamp of the image: {error}",
            ) from error
        up = torch.from_numpy(as_arrays(found)[0][:, 2])
        turn = upright_turn(up)
        self._turns[header.frame_id] = self._turns.get(header.frame_id, 0) if turn is None else turn
        return self._turns[header.frame_id]


class TransformSender:
    """Broadcasts a transform per object; not without tf2, nor for objects whose pose is not metric."""

    def __init__(self, node: Node, prefix: str = ""):
        """prefix: of the names of frames, so that those of two robots differ."""
        self._prefix = prefix
        self._broadcaster: Any = None
        try:
            from tf2_ros import TransformBroadcaster
        except ImportError:
            node.get_logger().info("tf2_ros is not installed: no transforms are broadcast")
        else:
            self._broadcaster = TransformBroadcaster(node)

    def send(
        self,
        header: Header,
        poses: list[ClassPose],
        instances: Sequence[SemanticKeypoints] = (),
        keypoints: Sequence[str] = (),
    ) -> None:
        """Broadcast the poses at the stamp of their image, and below each those of its keypoints that are
        named and whose position is known."""
        metric = {pose.instance_id: pose for pose in poses if pose.metric}
        transforms = [_transform(header, pose, self._prefix) for pose in metric.values()]
        for instance in instances if keypoints else ():
            if instance.instance_id in metric:
                transforms += self._below(header, metric[instance.instance_id], instance, keypoints)
        if self._broadcaster is not None and transforms:
            self._broadcaster.sendTransform(transforms)

    def _below(
        self, header: Header, pose: ClassPose, instance: SemanticKeypoints, names: Sequence[str]
    ) -> list[TransformStamped]:
        """Make frames of keypoints, with the axes of their object's."""
        own = Transform(rotation=pose.pose.orientation)
        rotation, _ = as_arrays(own)
        center = np.array([pose.pose.position.x, pose.pose.position.y, pose.pose.position.z])
        frame = self._prefix + pose.instance_id
        found = []
        for one in instance.keypoints:
            at = np.array([one.xyz.x, one.xyz.y, one.xyz.z])
            if (EVERY in names or one.name in names) and np.isfinite(at).all():
                x, y, z = (rotation.T @ (at - center)).tolist()
                transform = Transform(translation=Vector3(x=x, y=y, z=z))
                parent = Header(stamp=header.stamp, frame_id=frame)
                child = f"{frame}/{one.name}"
                found.append(TransformStamped(header=parent, child_frame_id=child, transform=transform))
        return found


def as_arrays(transform: Transform) -> tuple[np.ndarray, np.ndarray]:
    """Convert a transform to rotation (3, 3) and translation (3,)."""
    q, t = transform.rotation, transform.translation
    rotation = from_quaternion(torch.tensor([q.x, q.y, q.z, q.w], dtype=torch.float64)).numpy()
    return rotation, np.array([t.x, t.y, t.z])


def moved_point(point: Point, rotation: np.ndarray, translation: np.ndarray) -> Point:
    """Transform a point; an unknown one stays unknown."""
    x, y, z = rotation @ [point.x, point.y, point.z] + translation
    return Point(x=float(x), y=float(y), z=float(z))


def move_pose(pose: ClassPose, rotation: np.ndarray, translation: np.ndarray) -> None:
    """Transform position, orientation and covariance in place."""
    pose.pose = moved_pose(pose.pose, rotation, translation)
    pose.covariance = moved_covariance(pose.covariance, rotation)


def moved_pose(pose: Pose, rotation: np.ndarray, translation: np.ndarray) -> Pose:
    """Transform a rigid pose; an unknown orientation stays unknown."""
    q = pose.orientation
    turned = q
    if np.isfinite([q.x, q.y, q.z, q.w]).all():
        own = from_quaternion(torch.tensor([q.x, q.y, q.z, q.w], dtype=torch.float64))
        x, y, z, w = to_quaternion(torch.from_numpy(rotation) @ own).tolist()
        turned = Quaternion(x=x, y=y, z=z, w=w)
    return Pose(position=moved_point(pose.position, rotation, translation), orientation=turned)


def frame_prefix(node: Node, wish: str) -> str:
    """Return what the names of broadcast frames begin with. wish: the parameter `frame_prefix`."""
    if wish == NAMESPACE:
        namespace = node.get_namespace().strip("/")
        return f"{namespace}/" if namespace else ""
    return "" if wish == NO_PREFIX else wish


def _transform(header: Header, pose: ClassPose, prefix: str) -> TransformStamped:
    at, rotation = pose.pose.position, pose.pose.orientation
    transform = Transform(translation=Vector3(x=at.x, y=at.y, z=at.z), rotation=rotation)
    parent = Header(stamp=header.stamp, frame_id=header.frame_id.lstrip("/"))
    return TransformStamped(header=parent, child_frame_id=prefix + pose.instance_id, transform=transform)
