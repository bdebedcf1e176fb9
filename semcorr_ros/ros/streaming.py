"""Active classes in every picture: align, publish, count what was dropped and why."""

from __future__ import annotations

import time
import traceback
from typing import TYPE_CHECKING

import torch
from rclpy.node import Node

from semcorr_ros import pipeline
from semcorr_ros.ros.class_bank import Resident
from semcorr_ros.ros.messages import instance_message, keypoint_messages, pose_message
from semcorr_ros.ros.outputs import Found
from semcorr_ros.ros.perception import Picture
from semcorr_ros.ros.refusal import Code, Refusal
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
            node.counters.add("pictures skipped for max_rate")
            return
        self._last = now
        try:
            session = node.session
        except Refusal:  # cleaned up since the picture came
            return
        found = []
        for resident in session.bank.all():
            if not resident.active:
                continue
            try:
                found.append(self._find(session, resident, picture, keep_going))
            except Refusal as refusal:
                preempted = refusal.code == Code.TIMEOUT
                reason = "PREEMPTED" if preempted else refusal.code
                if node.counters.drop(reason, refusal.message):
                    node.get_logger().info(f"class {resident.model.info.name!r}: {refusal.message}")
                if preempted:
                    return
            except Exception as error:  # one bad picture must not end the stream
                node.counters.drop(Code.UNKNOWN, str(error))
                log_failure(node, error)
        outputs = node.outputs
        if node.active and outputs is not None:
            outputs.publish(picture, found)
            node.counters.add("pictures published")

    def _find(self, session: Session, resident: Resident, picture: Picture, keep_going: KeepGoing) -> Found:
        min_score = self._node.settings.min_score
        view = session.perception.next_view(resident, picture, keep_going)
        assert view.aligned is not None
        model, instance_id = resident.model, f"{resident.model.info.name}_0"
        pose = pose_message(model, view.aligned, instance_id)
        if pose.confidence < min_score:
            raise Refusal(
                Code.LOW_SCORE, f"confidence {pose.confidence:.2f} is below min_score {min_score:.2f}"
            )
        # Every keypoint, also never annotated ones: the skeleton's indices are those of the class.
        ids = torch.arange(len(model.info.keypoint_names), device=model.sparse.device)
        points = pipeline.transfer_keypoints(model, view.seen, view.aligned, ids)
        keypoints = keypoint_messages(model.info.keypoint_names, points, min_score)
        return Found(instance_message(model, keypoints, instance_id), pose)


def log_failure(node: Node, error: Exception) -> None:
    """The traceback of an unforeseen error, to the node's log."""
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    node.get_logger().error("".join(lines))
