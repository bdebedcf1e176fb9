"""Answers in another frame than the camera's: looked up at the stamp of the image, never at the latest.

Needs tf2_ros. On a moving camera the latest transform is that of another picture.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from geometry_msgs.msg import Point, Quaternion, Transform
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time
from std_msgs.msg import Header

from semcorr_ros.geometry.rotations import from_quaternion, to_quaternion
from semcorr_ros.msg import ClassPose, SemanticKeypoints
from semcorr_ros.refusal import Code, Refusal

PATIENCE = 0.1  # seconds: transforms arrive a little after the images they belong to


class TargetFrame:
    """Moves answers into `frame`; an empty one leaves them in the camera's."""

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
        """Move everything in place; the header they now belong to. Raises Refusal TF_MISSING.

        Waits for the transform: to be called from the inference thread.
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


def as_arrays(transform: Transform) -> tuple[np.ndarray, np.ndarray]:
    """Rotation (3, 3) and translation (3,) of a transform."""
    q, t = transform.rotation, transform.translation
    rotation = from_quaternion(torch.tensor([q.x, q.y, q.z, q.w], dtype=torch.float64)).numpy()
    return rotation, np.array([t.x, t.y, t.z])


def moved_point(point: Point, rotation: np.ndarray, translation: np.ndarray) -> Point:
    """An unknown point stays unknown."""
    x, y, z = rotation @ [point.x, point.y, point.z] + translation
    return Point(x=float(x), y=float(y), z=float(z))


def moved_covariance(values: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """Of 3 or 6 axes, row-major; an unknown one ([0] = -1) stays unknown."""
    if values[0] < 0:
        return values
    axes = 3 if len(values) == 9 else 6
    turn = np.kron(np.eye(axes // 3), rotation)
    return (turn @ np.reshape(values, (axes, axes)) @ turn.T).reshape(-1)


def move_pose(pose: ClassPose, rotation: np.ndarray, translation: np.ndarray) -> None:
    """Position, orientation and covariance, in place."""
    q = pose.pose.orientation
    own = from_quaternion(torch.tensor([q.x, q.y, q.z, q.w], dtype=torch.float64))
    x, y, z, w = to_quaternion(torch.from_numpy(rotation) @ own).tolist()
    pose.pose.orientation = Quaternion(x=x, y=y, z=z, w=w)
    pose.pose.position = moved_point(pose.pose.position, rotation, translation)
    pose.covariance = moved_covariance(pose.covariance, rotation)
