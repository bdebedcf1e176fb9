"""~/transfer_pose: poses of a gripper that were taught on one object, on another one of its class."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from geometry_msgs.msg import Pose, PoseStamped
from rclpy.node import Node
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from semcorr_ros.geometry.rotations import from_quaternion
from semcorr_ros.pose_transfer import Poses
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.ros.camera import Cameras
from semcorr_ros.ros.drawing import pose_markers
from semcorr_ros.ros.messages import pose_message, transferred_messages
from semcorr_ros.ros.outputs import LATCHED, Outputs
from semcorr_ros.ros.requests import Requests, check_timeout, left
from semcorr_ros.ros.session import NodeState
from semcorr_ros.ros.transfer import has_image, target_picture
from semcorr_ros.serving.worker import KeepGoing
from semcorr_ros.srv import TransferPose

MOST = 1024  # poses of a demonstration: bounds what is allocated for it
NORM = 0.01  # by which the length of a quaternion may differ from 1


class PoseService:
    """~/transfer_pose, and the latest answer as markers."""

    def __init__(self, node: Node, requests: Requests, state: NodeState, cameras: Cameras, outputs: Outputs):
        self._requests, self._state, self._cameras, self._outputs = requests, state, cameras, outputs
        self._markers = node.create_publisher(MarkerArray, "~/pose_markers", LATCHED)
        requests.serve(TransferPose, "transfer_pose", self._transfer)

    async def _transfer(self, request: Any, response: Any) -> Any:
        response.header = self._cameras.header(request.camera)  # a refusal, too, is about a picture
        check_timeout(request.timeout)
        session, begun = self._state.active_session(), time.monotonic()
        session.bank.get(request.class_name)
        target = await target_picture(self._cameras, request, session.transfer.reading)
        response.header = target.header

        def work(keep_going: KeepGoing) -> Any:
            start = time.perf_counter()
            carried, found = session.transfer.poses(self._state.finder, request, target, keep_going)
            response.poses = transferred_messages(carried, target.header)
            response.pose = pose_message(found)
            response.message = "; ".join(dict.fromkeys(filter(None, [*carried.reasons, found.note])))
            response.success = not any(carried.reasons)
            response.error_code = int(Code.NONE if response.success else Code.NOT_FOUND)
            response.inference_time = time.perf_counter() - start
            return response if has_image(request.target_image) else self._outputs.in_target_frame(response)

        answer = await self._requests.run(work, left(request.timeout, begun))
        self._requests.answered()
        self._markers.publish(pose_markers(answer.header, answer.poses))
        return answer


def poses_from(request: Any, header: Header, outputs: Outputs) -> tuple[Poses, tuple[str, ...]]:
    """Read the poses of a StoreDemonstration, in the frame of its picture, and their names.

    Raises Refusal BAD_REQUEST naming a pose that is none, TF_MISSING for a frame that is not known.
    """
    names = tuple(request.pose_names) or tuple(f"pose_{i}" for i in range(len(request.poses)))
    if len(request.poses) > MOST:
        raise Refusal(Code.BAD_REQUEST, f"{len(request.poses)} `poses`; at most {MOST} at a time")
    if len(names) != len(request.poses) or len(set(names)) < len(names):
        raise Refusal(
            Code.BAD_REQUEST,
            f"`pose_names` must differ, one for each of {len(request.poses)} poses, got {', '.join(names)}",
        )
    for name, pose in zip(names, request.poses, strict=True):
        _check(name, pose)
    moved = outputs.from_frame(header, list(request.poses))
    return Poses(_positions(moved), _rotations(moved)), names


def _check(name: str, pose: PoseStamped) -> None:
    at, turn = pose.pose.position, pose.pose.orientation
    numbers = np.array([at.x, at.y, at.z, turn.x, turn.y, turn.z, turn.w])
    if not np.isfinite(numbers).all():
        raise Refusal(Code.BAD_REQUEST, f"pose {name!r} has a number that is not finite")
    length = float(np.linalg.norm(numbers[3:]))
    if abs(length - 1) > NORM:
        raise Refusal(
            Code.BAD_REQUEST, f"pose {name!r}: its quaternion (x, y, z, w) has length {length:.3f}, not 1"
        )


def _positions(poses: list[Pose]) -> torch.Tensor:
    return torch.tensor([[p.position.x, p.position.y, p.position.z] for p in poses]).reshape(-1, 3)


def _rotations(poses: list[Pose]) -> torch.Tensor:
    turns = [p.orientation for p in poses]
    quaternions = torch.tensor([[q.x, q.y, q.z, q.w] for q in turns], dtype=torch.float64).reshape(-1, 4)
    return from_quaternion(quaternions).float()
