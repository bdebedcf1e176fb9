"""Cameras and nodes that die and come back, two nodes side by side, and a subscriber that sleeps."""

from __future__ import annotations

import signal
import time
from dataclasses import replace
from typing import Any

from rclpy.qos import QoSProfile
from semcorr_ros.msg import SemanticKeypointsArray

from benchmark.faults import lab
from semcorr_ros.refusal import Code

MAX_AGE = 0.5  # seconds; parameter of the node in the camera's trial
WATCH = 10.0  # seconds in which pictures are counted


def camera_dies(subject: lab.Subject) -> dict[str, Any]:
    """Killed in the middle of a picture, away for a while, and back as another process."""
    subject = replace(subject, parameters={**subject.parameters, "max_image_age": MAX_AGE})
    with lab.start_node(subject) as node, lab.probing() as probe:
        with lab.start_camera(subject) as camera:
            first = probe.transfer_until(subject, lambda answer: answer.success, lab.UP)
            camera.end(signal.SIGKILL)
        gone = probe.transfer_until(subject, lambda answer: answer.error_code == Code.NO_IMAGE, 10.0)
        start = time.monotonic()
        with lab.start_camera(subject):
            back = probe.transfer_until(subject, lambda answer: answer.success, lab.UP)
            seconds = time.monotonic() - start
        return {
            "first": first.success,
            "while_gone": gone.message,
            "back": back.success,
            "seconds_to_come_back": round(seconds, 2),
            "tracebacks": node.tracebacks(),
        }


def node_killed(subject: lab.Subject) -> dict[str, Any]:
    """-9 in the middle of a request; a client that stays gets its answers from the next process."""
    with lab.probing() as probe:
        first = lab.start_node(subject)
        before = probe.transfer(subject, subject.inline_request(), lab.UP)
        probe.send(*_call(subject))
        probe.spin_until(lambda: False, 0.05)
        first.end(signal.SIGKILL)
        start = time.monotonic()
        with lab.start_node(subject) as second:
            after = None
            while after is None and time.monotonic() - start < lab.UP:
                try:
                    after = probe.transfer(subject, subject.inline_request(), seconds=5.0)
                except TimeoutError:
                    continue
            return {
                "seconds_to_come_back": round(time.monotonic() - start, 2),
                "same_answer_after": after is not None and after.keypoints == before.keypoints,
                "tracebacks": second.tracebacks(),
            }


def two_namespaces(subject: lab.Subject) -> dict[str, Any]:
    """The camera of one is not seen by the other."""
    left, right = lab.elsewhere(subject, "/left"), lab.elsewhere(subject, "/right")
    with lab.start_node(left), lab.start_node(right), lab.start_camera(left), lab.probing() as probe:
        clear = probe.transfer_until(left, lambda answer: answer.success, lab.UP)
        blind = probe.transfer(right)
        inline = probe.transfer(right, right.inline_request())
        return {"left": clear.success, "right": Code(blind.error_code).name, "right_inline": inline.success}


def slow_subscriber(subject: lab.Subject) -> dict[str, Any]:
    """A reliable subscriber that takes nothing for a while does not slow the stream for the others."""
    streaming = {"active_classes": f"[{subject.class_name}]", "max_rate": 20.0, "quality": "tracking"}
    subject = replace(subject, parameters={**subject.parameters, **streaming})
    topic = f"{subject.full_name}/keypoints"
    with lab.start_node(subject), lab.start_camera(subject, 20.0), lab.probing() as fast:
        arrivals: list[float] = []
        fast.node.create_subscription(SemanticKeypointsArray, topic, lambda _: arrivals.append(0.0), 50)
        fast.transfer_until(subject, lambda answer: answer.success, lab.UP)
        fast.spin_until(lambda: len(arrivals) > 5, lab.UP)
        alone = _rate(fast, arrivals)
        with lab.probing() as slow:
            # Never spun: its messages are acknowledged by nobody's hands.
            slow.node.create_subscription(SemanticKeypointsArray, topic, lambda _: None, QoSProfile(depth=1))
            beside = _rate(fast, arrivals)
        return {"hz_alone": round(alone, 2), "hz_beside_a_slow_one": round(beside, 2)}


def _rate(probe: lab.Probe, arrivals: list[float]) -> float:
    before = len(arrivals)
    probe.spin_until(lambda: False, WATCH)
    return (len(arrivals) - before) / WATCH


def _call(subject: lab.Subject) -> tuple[type, str, Any]:
    from semcorr_ros.srv import TransferKeypoints

    return TransferKeypoints, f"{subject.full_name}/transfer_keypoints", subject.inline_request()
