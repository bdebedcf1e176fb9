"""Render answers as messages. Scalars go through float() or int(): some distributions refuse NumPy's."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, PoseStamped, Quaternion, Vector3
from geometry_msgs.msg import Pose as PoseMessage
from std_msgs.msg import Header
from torch import Tensor

from semcorr_ros.answer import Answer
from semcorr_ros.geometry.rotations import to_quaternion
from semcorr_ros.msg import (
    ClassInfo,
    ClassPose,
    DemonstrationInfo,
    Point2D,
    SemanticKeypoint,
    SemanticKeypoints,
    TransferredPose,
)
from semcorr_ros.pose_transfer import CarriedPoses
from semcorr_ros.refusal import Code
from semcorr_ros.serving.demonstration_file import Info
from semcorr_ros.serving.resident import Resident

NAN_POINT = (math.nan, math.nan, math.nan)


def instance_message(answer: Answer) -> SemanticKeypoints:
    """Render the points of an answer, with their skeleton."""
    message = SemanticKeypoints(class_name=answer.info.name, instance_id=answer.instance_id)
    message.keypoints = _keypoints(answer)
    message.edges = _flat(answer.edges)
    return message


def pose_message(answer: Answer) -> ClassPose:
    """Render pose, scale and extent."""
    message = ClassPose(class_name=answer.info.name, instance_id=answer.instance_id)
    message.confidence = float(answer.confidence)
    pose = answer.pose
    if pose is None:
        message.covariance = _unknown_covariance(6)
        return message
    message.pose = rigid_message(pose.translation, pose.rotation)
    message.scale, message.metric = float(pose.scale), bool(pose.metric)
    message.size = Vector3(**dict(zip("xyz", pose.size.tolist(), strict=True)))
    covariance = pose.covariance
    message.covariance = _unknown_covariance(6) if covariance is None else _covariance(covariance)
    return message


def error_of(answer: Answer) -> tuple[int, str]:
    """Return error code and message (or note) of an answer."""
    refusal = answer.refusal
    return (int(Code.NONE), answer.note) if refusal is None else (int(refusal.code), refusal.message)


def class_message(resident: Resident) -> ClassInfo:
    """Render a class for the catalogue."""
    info = resident.info
    message = ClassInfo(name=info.name, keypoint_names=list(info.keypoint_names))
    message.edges = _flat(info.edges)
    message.flat, message.symmetric = bool(info.flat), bool(info.symmetric)
    message.metric_scale, message.backbone = resident.metric_scale, resident.backbone
    message.path, message.version = str(resident.path), resident.version
    message.active, message.resident, message.bytes = (
        resident.active,
        resident.held is not None,
        resident.size,
    )
    return message


def demonstration_message(info: Info) -> DemonstrationInfo:
    """Render the entry of a demonstration in a list."""
    message = DemonstrationInfo(id=info.id, class_name=info.class_name, point_names=list(info.point_names))
    message.height, message.width, message.has_depth = info.height, info.width, info.has_depth
    message.pose_names = list(info.pose_names)
    message.persistent, message.stamp = info.persistent, Time(sec=info.stamp[0], nanosec=info.stamp[1])
    return message


def transferred_messages(carried: CarriedPoses, header: Header) -> list[TransferredPose]:
    """Render poses that were carried over, in the frame of the header."""
    messages = []
    for i, (name, reason) in enumerate(zip(carried.names, carried.reasons, strict=True)):
        message = TransferredPose(name=name, reason=reason, score=float(carried.score))
        at = rigid_message(carried.poses.position[i], carried.poses.rotation[i])
        message.pose = PoseStamped(header=header, pose=at)
        message.stretch = float(carried.stretch[i])
        message.covariance = _covariance(carried.covariance[i])
        messages.append(message)
    return messages


def rigid_message(position: Tensor, rotation: Tensor) -> PoseMessage:
    """Render a rigid pose; NaN where it is unknown."""
    known = bool(rotation.isfinite().all())
    x, y, z, w = to_quaternion(rotation).tolist() if known else (math.nan,) * 4
    return PoseMessage(position=_point(position.tolist()), orientation=Quaternion(x=x, y=y, z=z, w=w))


def _keypoints(answer: Answer) -> list[SemanticKeypoint]:
    pixels, xyz, scores = answer.pixels.tolist(), answer.xyz.tolist(), answer.scores.tolist()
    messages = []
    for i, (name, state) in enumerate(zip(answer.names, answer.states, strict=True)):
        known = all(map(math.isfinite, xyz[i]))
        message = SemanticKeypoint(name=name, state=int(state), score=float(scores[i]))
        message.pixel = Point2D(x=float(pixels[i][0]), y=float(pixels[i][1]))
        message.xyz = _point(xyz[i] if known else NAN_POINT)
        covariances = answer.covariances if known else None
        message.covariance = _unknown_covariance(3) if covariances is None else _covariance(covariances[i])
        messages.append(message)
    return messages


def _covariance(matrix: Tensor) -> np.ndarray:
    """Flatten a covariance to row-major float64; unknown where it is not finite."""
    values = matrix.double().cpu().numpy().reshape(-1)
    return values if np.isfinite(values).all() else _unknown_covariance(matrix.shape[0])


def _unknown_covariance(rows: int) -> np.ndarray:
    # As in sensor_msgs/Imu. NaN would make equal messages differ.
    return np.append(-1.0, np.zeros(rows * rows - 1))


def _point(xyz: Sequence[float]) -> Point:
    return Point(x=float(xyz[0]), y=float(xyz[1]), z=float(xyz[2]))


def _flat(edges: Sequence[tuple[int, int]]) -> list[int]:
    return [int(index) for edge in edges for index in edge]
