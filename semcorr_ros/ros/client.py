"""Ask a running node from a script, in one line a question: what everyone else writes ten lines for.

with Client("/semcorr") as node:
    mug = node.keypoints("mug")
    print(mug["handle_outer"].xyz, mug.frame)
    grasp = node.poses("mug", "my_grasp")["grasp"]
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import rclpy
from geometry_msgs.msg import PoseStamped
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from semcorr_ros.artifacts import KeypointState
from semcorr_ros.diagnosis.told import Found, Point
from semcorr_ros.msg import Point2D, SemanticKeypoint, TransferredPose
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.srv import StoreDemonstration, TransferKeypoints, TransferPose

DISCOVERY = 10.0  # seconds to find the node
LONGER = 60.0  # seconds to wait for an answer that names no timeout
ASKED = 3  # times: a reply is lost where the node has not discovered who asks


class Client:
    """Calls the services of a node and waits for the answers; for scripts, not for callbacks."""

    def __init__(self, node: str = "/semcorr", timeout: float = 0.0):
        """Start a node of its own, in a context of its own: it may live beside others.

        node: full name of the node that is asked. timeout: seconds that a question may take, 0 = the node's.
        """
        self._name = node if node.startswith("/") else f"/{node}"
        self._timeout = timeout
        self._context = rclpy.Context()
        self._context.init()
        self._node = Node(f"semcorr_client_{os.getpid()}", context=self._context, enable_rosout=False)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._clients: dict[str, Any] = {}

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Destroy the client's node."""
        self._executor.shutdown(timeout_sec=0.5)
        self._node.destroy_node()
        self._context.try_shutdown()

    def keypoints(self, class_name: str, names: Sequence[str] = (), **fields: Any) -> Found:
        """Find an object and its keypoints, all or those named. fields: others of TransferKeypoints.

        Raises Refusal with the code and the sentence of the node, and TIMEOUT where it does not answer.
        """
        request = TransferKeypoints.Request(class_name=class_name, keypoint_names=list(names), **fields)
        return _found(self.call(TransferKeypoints, "transfer_keypoints", request))

    def poses(
        self, class_name: str, demonstration: str, names: Sequence[str] = (), **fields: Any
    ) -> dict[str, PoseStamped]:
        """Carry the poses of a demonstration over to the object in view, by their names.

        Raises Refusal as `keypoints`, also where one of the poses is unknown.
        """
        request = TransferPose.Request(
            class_name=class_name, demonstration_id=demonstration, pose_names=list(names), **fields
        )
        answer = self.call(TransferPose, "transfer_pose", request)
        transferred: list[TransferredPose] = list(answer.poses)
        return {one.name: one.pose for one in transferred}

    def store(
        self,
        class_name: str,
        demonstration: str,
        points: dict[str, tuple[float, float]] | None = None,
        poses: dict[str, PoseStamped] | None = None,
        **fields: Any,
    ) -> None:
        """Teach points (pixels) and poses of a gripper on the object in view. Raises Refusal."""
        points, poses = points or {}, poses or {}
        request = StoreDemonstration.Request(
            class_name=class_name, demonstration_id=demonstration, point_names=list(points),
            points=[Point2D(x=float(x), y=float(y)) for x, y in points.values()],
            pose_names=list(poses), poses=list(poses.values()), **fields,
        )  # fmt: skip
        self.call(StoreDemonstration, "store_demonstration", request)

    def call(self, kind: Any, service: str, request: Any) -> Any:
        """Call a service of the node. Raises Refusal where it answers that it failed, and TIMEOUT."""
        if hasattr(request, "timeout") and not request.timeout:
            request.timeout = self._timeout
        client = self._clients.setdefault(service, None) or self._node.create_client(
            kind, f"{self._name}/{service}"
        )
        self._clients[service] = client
        if not self._spin(client.service_is_ready, DISCOVERY):
            raise Refusal(
                Code.TIMEOUT,
                f"no service {self._name}/{service} after {DISCOVERY:.0f} s: is the node up, and "
                "ROS_DOMAIN_ID the same? (ros2 run semcorr_ros doctor)",
            )
        seconds, futures = (self._timeout or LONGER) + 5.0, []
        for _ in range(ASKED):
            futures.append(client.call_async(request))
            if self._spin(lambda: any(one.done() for one in futures), seconds / ASKED):
                break
        answer = next((one.result() for one in futures if one.done()), None)
        if answer is None:
            raise Refusal(Code.TIMEOUT, f"{self._name}/{service} did not answer in {seconds:.0f} s")
        if not answer.success:
            raise Refusal(_code(answer.error_code), answer.message)
        return answer

    def _spin(self, condition: Any, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                return False
            self._executor.spin_once(timeout_sec=0.05)
        return True


def _found(answer: Any) -> Found:
    points = [_point(one) for one in answer.keypoints.keypoints]
    header = answer.header
    stamp = (int(header.stamp.sec), int(header.stamp.nanosec))
    pose = answer.pose
    return Found(
        answer.keypoints.class_name, answer.keypoints.instance_id, header.frame_id, stamp,
        float(pose.confidence), bool(pose.metric), answer.message, tuple(points),
    )  # fmt: skip


def _point(one: SemanticKeypoint) -> Point:
    xyz, state = (one.xyz.x, one.xyz.y, one.xyz.z), KeypointState(one.state).name
    return Point(one.name, state, (one.pixel.x, one.pixel.y), xyz, float(one.score))


def _code(number: int) -> Code:
    return Code(number) if number in set(map(int, Code)) else Code.UNKNOWN
