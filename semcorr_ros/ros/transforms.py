"""tf2: answers in another frame than the camera's, and one transform per object.

Answers are moved by the transform at the stamp of their image: on a moving camera the latest one belongs to
another picture.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from geometry_msgs.msg import Point, Quaternion, Transform, TransformStamped, Vector3
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time
from std_msgs.msg import Header

from semcorr_ros.geometry.rotations import from_quaternion, to_quaternion
from semcorr_ros.geometry.taken import upright_turn
from semcorr_ros.msg import ClassPose, SemanticKeypoints
from semcorr_ros.refusal import Code, Refusal

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
        rotation, translation = as_arrays(self._lookup(header))
        for instance in instances:
            for keypoint in instance.keypoints:
                keypoint.xyz = moved_point(keypoint.xyz, rotation, translation)
                keypoint.covariance = moved_covariance(keypoint.covariance, rotation)
        for pose in poses:
            move_pose(pose, rotation, translation)
        return Header(stamp=header.stamp, frame_id=self.frame)

    def _lookup(self, header: Header) -> Transform:
        try:
            return self.buffer.lookup_transform(
                self.frame, header.frame_id, Time.from_msg(header.stamp), Duration(seconds=PATIENCE)
            ).transform
        except Exception as error:  # tf2's own exceptions have no common base in every distribution
            raise Refusal(
                Code.TF_MISSING,
                f"no transform from {header.frame_id!r} to target_frame {self.frame!r} at the stamp of the "
                f"image: {error}",
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


def as_arrays(transform: Transform) -> tuple[np.ndarray, np.ndarray]:
    """Convert a transform to rotation (3, 3) and translation (3,)."""
    q, t = transform.rotation, transform.translation
    rotation = from_quaternion(torch.tensor([q.x, q.y, q.z, q.w], dtype=torch.float64)).numpy()
    return rotation, np.array([t.x, t.y, t.z])


def moved_point(point: Point, rotation: np.ndarray, translation: np.ndarray) -> Point:
    """Transform a point; an unknown one stays unknown."""
    x, y, z = rotation @ [point.x, point.y, point.z] + translation
    return Point(x=float(x), y=float(y), z=float(z))


def moved_covariance(values: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """Rotate a row-major covariance of 3 or 6 axes; an unknown one ([0] = -1) stays unknown."""
    if values[0] < 0:
        return values
    axes = 3 if len(values) == 9 else 6
    turn = np.kron(np.eye(axes // 3), rotation)
    return (turn @ np.reshape(values, (axes, axes)) @ turn.T).reshape(-1)


def move_pose(pose: ClassPose, rotation: np.ndarray, translation: np.ndarray) -> None:
    """Transform position, orientation and covariance in place."""
    q = pose.pose.orientation
    own = from_quaternion(torch.tensor([q.x, q.y, q.z, q.w], dtype=torch.float64))
    x, y, z, w = to_quaternion(torch.from_numpy(rotation) @ own).tolist()
    pose.pose.orientation = Quaternion(x=x, y=y, z=z, w=w)
    pose.pose.position = moved_point(pose.pose.position, rotation, translation)
    pose.covariance = moved_covariance(pose.covariance, rotation)


def _transform(header: Header, pose: ClassPose) -> TransformStamped:
    at, rotation = pose.pose.position, pose.pose.orientation
    transform = Transform(translation=Vector3(x=at.x, y=at.y, z=at.z), rotation=rotation)
    return TransformStamped(header=header, child_frame_id=pose.instance_id, transform=transform)
