"""Results to messages. Every scalar goes through float() or int(): some distributions refuse NumPy's."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from geometry_msgs.msg import Point, Pose, Quaternion, Vector3
from torch import Tensor

from semcorr_ros.artifacts import Correspondences, KeypointState
from semcorr_ros.geometry.rotations import to_quaternion
from semcorr_ros.matching._uncertainty import pose_covariance
from semcorr_ros.methods.semalign3d.artifacts import Alignment, ClassRepresentation
from semcorr_ros.msg import ClassInfo, ClassPose, Point2D, SemanticKeypoint, SemanticKeypoints
from semcorr_ros.ros.class_bank import Resident
from semcorr_ros.sensing.judgement import judged

NAN_POINT = (math.nan, math.nan, math.nan)


def keypoint_messages(
    names: Sequence[str], found: Correspondences, min_score: float, refused: bool = False
) -> list[SemanticKeypoint]:
    """One message per point, in order; see `judgement.judged`."""
    found = judged(found, min_score, refused)
    points, xyz = found.points.tolist(), found.xyz.tolist()
    states, scores = found.state.tolist(), found.score.tolist()
    messages = [
        _keypoint(name, point, position, KeypointState(state), score)
        for name, point, position, state, score in zip(names, points, xyz, states, scores, strict=True)
    ]
    if found.covariance is not None:
        for message, covariance in zip(messages, found.covariance, strict=True):
            if math.isfinite(message.xyz.z):
                message.covariance = _covariance(covariance)
    return messages


def instance_message(
    model: ClassRepresentation, keypoints: list[SemanticKeypoint], instance_id: str
) -> SemanticKeypoints:
    """All keypoints of a class, with its skeleton."""
    message = SemanticKeypoints(class_name=model.info.name, instance_id=instance_id)
    message.keypoints = keypoints
    message.edges = _flat(model.info.edges)
    return message


def pose_message(model: ClassRepresentation, aligned: Alignment, instance_id: str) -> ClassPose:
    """Pose, scale and extent of the best hypothesis."""
    rotation, translation = aligned.rotation[0], aligned.translation[0]
    in_class_axes = (aligned.dense[0] - translation) @ rotation
    extent = in_class_axes.amax(0) - in_class_axes.amin(0)
    x, y, z, w = to_quaternion(rotation).tolist()
    message = ClassPose(class_name=model.info.name, instance_id=instance_id)
    message.pose = Pose(position=_point(translation.tolist()), orientation=Quaternion(x=x, y=y, z=z, w=w))
    message.scale = float(aligned.scale[0])
    message.size = Vector3(**dict(zip("xyz", extent.tolist(), strict=True)))
    metric = message.metric = bool(aligned.metric)
    message.covariance = _covariance(pose_covariance(model, aligned)) if metric else _unknown_covariance(6)
    message.confidence = float(aligned.confidence[0])
    return message


def class_message(resident: Resident) -> ClassInfo:
    """What the catalogue says about a class."""
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


def _keypoint(
    name: str, point: list[float], xyz: list[float], state: KeypointState, score: float
) -> SemanticKeypoint:
    known = all(map(math.isfinite, xyz))
    message = SemanticKeypoint(name=name, state=int(state), score=float(score))
    message.pixel = Point2D(x=float(point[0]), y=float(point[1]))
    message.xyz = _point(xyz if known else NAN_POINT)
    message.covariance = _unknown_covariance(3)
    return message


def _covariance(matrix: Tensor) -> np.ndarray:
    """Row-major float64; unknown where it is not finite."""
    values = matrix.double().cpu().numpy().reshape(-1)
    return values if np.isfinite(values).all() else _unknown_covariance(matrix.shape[0])


def _unknown_covariance(rows: int) -> np.ndarray:
    # As in sensor_msgs/Imu. NaN would make equal messages differ.
    return np.append(-1.0, np.zeros(rows * rows - 1))


def _point(xyz: Sequence[float]) -> Point:
    return Point(x=float(xyz[0]), y=float(xyz[1]), z=float(xyz[2]))


def _flat(edges: Sequence[tuple[int, int]]) -> list[int]:
    return [int(index) for edge in edges for index in edge]
