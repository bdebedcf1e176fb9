"""Active classes in every picture: align, publish, count what was dropped and why."""

from __future__ import annotations

import time
import traceback
from functools import partial
from typing import TYPE_CHECKING

from rclpy.node import Node

from semcorr_ros.ros.outputs import Found
from semcorr_ros.ros.perception import Picture, Task
from semcorr_ros.ros.refusal import Code, Refusal
from semcorr_ros.ros.results import describe, too_uncertain
from semcorr_ros.ros.worker import KeepGoing

if TYPE_CHECKING:
    from semcorr_ros.ros.perceive import PerceiveNode
    from semcorr_ros.ros.session import Session


class Streaming:
    """Called by the worker with the latest picture."""

    def __init__(self, node: PerceiveNode):
        self._node = node
        self._last = -float("inf")

    def look(self, picture: Picture, keep_going: KeepGoing) -> None:
        """Publish what is found of the active classes."""
        node = self._node
        rate, now = node.settings.max_rate, time.monotonic()
        if rate and now - self._last < 1 / rate:
            node.counters.drop(Code.RATE_LIMIT, f"images come faster than max_rate ({rate:g} per second)")
            return
        self._last = now
        try:
            session = node.session
        except Refusal:  # cleaned up since the picture came
            return
        found = []
        for name in [resident.info.name for resident in session.bank.all() if resident.active]:
            try:
                found.append(session.spare(partial(self._find, session, name, picture, keep_going)))
            except Refusal as refusal:
                preempted = refusal.code == Code.TIMEOUT
                reason = "PREEMPTED" if preempted else refusal.code
                if node.counters.drop(reason, refusal.message):
                    node.get_logger().info(f"class {name!r}: {refusal.message}")
                if preempted:
                    return
            except Exception as error:  # one bad picture must not end the stream
                node.counters.drop(Code.UNKNOWN, str(error))
                log_failure(node, error)
        outputs = node.outputs
        if node.active and outputs is not None:
            try:
                outputs.publish(picture, found)
            except Refusal as refusal:
                if node.counters.drop(refusal.code, refusal.message):
                    node.get_logger().warning(refusal.message)
                return
            node.counters.add("pictures published")
            for item in found:
                node.counters.points(keypoint.state for keypoint in item.keypoints.keypoints)

    def _find(self, session: Session, name: str, picture: Picture, keep_going: KeepGoing) -> Found:
        min_score, resident = self._node.settings.min_score, session.bank.hold(name)
        view = session.perception.next_view(resident, picture, Task(keep_going), name)
        found = describe(resident.model, view, f"{name}_0", min_score)
        if found.pose.confidence < min_score:
            raise too_uncertain(found.pose.confidence, min_score)
        return found


def log_failure(node: Node, error: Exception) -> None:
    """The traceback of an unforeseen error, to the node's log."""
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    node.get_logger().error("".join(lines))
