"""Spoiled messages and calls, thousands of them: every call is answered, and the node goes on as before."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
from rclpy.action import ActionClient
from semcorr_ros.action import AlignClass
from semcorr_ros.msg import Point2D, Regions
from semcorr_ros.srv import (
    DeleteDemonstration,
    ListClasses,
    ListDemonstrations,
    LoadClass,
    StoreDemonstration,
    TransferKeypoints,
    UnloadClass,
)
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from std_srvs.srv import Trigger

from benchmark.faults import lab
from benchmark.faults.mutation import spoil
from semcorr_ros.refusal import Code

CALL_SHARE = 0.4  # of all that is sent; the rest are camera messages
SECONDS = 2.0  # a spoiled request that happens to be valid may take
KINDS = {
    "transfer_keypoints": TransferKeypoints, "load_class": LoadClass, "unload_class": UnloadClass,
    "list_classes": ListClasses, "store_demonstration": StoreDemonstration, "reset": Trigger,
    "delete_demonstration": DeleteDemonstration, "list_demonstrations": ListDemonstrations,
}  # fmt: skip


def fuzz(subject: lab.Subject, count: int, seed: int = 0) -> dict[str, Any]:
    """Send `count` spoiled messages, calls and goals to a node of its own, which looks at every picture."""
    streaming = {"active_classes": f"[{subject.class_name}]", "max_rate": 0.0}
    subject = replace(subject, parameters={**subject.parameters, **streaming})
    rng = np.random.default_rng(seed)
    answers: Counter[str] = Counter()
    unanswered = sent = 0
    with lab.start_node(subject) as node, lab.probing() as probe:
        attack = _Attack(subject, probe, rng)
        before = probe.transfer(subject, subject.inline_request())
        while sent < count and node.alive:
            if rng.random() < CALL_SHARE:
                answer = attack.call()
                unanswered += answer is None
                answers[answer or "none"] += 1
            else:
                attack.publish()
            sent += 1
            if sent % 500 == 0:
                print(f"{sent} sent, {sum(answers.values())} answers, {unanswered} missing", flush=True)
        attack.restore()
        after = probe.transfer(subject, subject.inline_request()) if node.alive else None
        alive, memory, tracebacks = node.alive, node.memory() if node.alive else 0, node.tracebacks()
    return {
        "sent": sent,
        "calls": sum(answers.values()),
        "unanswered": unanswered,
        "answers": dict(answers.most_common()),
        "alive": alive,
        "tracebacks": tracebacks,
        "memory_mb": memory >> 20,
        "same_answer_after": bool(after and after.success and after.keypoints == before.keypoints),
    }


class _Attack:
    """Makes valid messages and spoils them."""

    def __init__(self, subject: lab.Subject, probe: lab.Probe, rng: np.random.Generator):
        self._subject, self._probe, self._rng = subject, probe, rng
        kinds = {"image": Image, "depth": Image, "camera_info": CameraInfo, "regions": Regions}
        self._senders = {
            topic: probe.node.create_publisher(kind, f"{subject.namespace}/{topic}", 5)
            for topic, kind in kinds.items()
        }
        self._action = ActionClient(probe.node, AlignClass, f"{subject.full_name}/align_class")

    def publish(self) -> None:
        """One camera message, spoiled more often than not."""
        topic = str(self._rng.choice(list(self._senders)))
        header = Header(stamp=self._probe.node.get_clock().now().to_msg(), frame_id="optical")
        messages = self._subject.picture.messages(header) | {"regions": Regions(header=header)}
        message = messages[topic]
        if self._rng.random() < 0.8:
            spoil(message, self._rng, int(self._rng.integers(1, 4)))
        self._senders[topic].publish(message)

    def call(self) -> str | None:
        """Name of the answer's code; None when there is no answer."""
        if self._rng.random() < 0.1:
            return self._goal()
        name = str(self._rng.choice(list(KINDS)))
        request = spoil_request(self._request(name), self._rng)
        try:
            response = self._probe.call(KINDS[name], f"{self._subject.full_name}/{name}", request)
        except TimeoutError:
            return None
        code = getattr(response, "error_code", None)
        return f"{name}: {'answered' if code is None else Code(code).name}"

    def restore(self) -> None:
        """What a spoiled but valid call may have undone: load the class again."""
        request = LoadClass.Request(path=str(self._subject.class_file))
        self._probe.call(LoadClass, f"{self._subject.full_name}/load_class", request)

    def _goal(self) -> str | None:
        goal = AlignClass.Goal(class_name=self._subject.class_name)
        goal.deadline.sec = int(SECONDS)
        spoil(goal, self._rng)
        if not self._probe.spin_until(self._action.server_is_ready, lab.UP):
            return None
        accepted = self._action.send_goal_async(goal)
        if not self._probe.spin_until(accepted.done, lab.ANSWER):
            return None
        if not accepted.result().accepted:
            return "align_class: rejected"
        result = accepted.result().get_result_async()
        if not self._probe.spin_until(result.done, lab.ANSWER):
            return None
        return f"align_class: {Code(result.result().result.error_code).name}"

    def _request(self, name: str) -> Any:
        name_, messages = self._subject.class_name, self._subject.picture.messages(Header(frame_id="optical"))
        points = [Point2D(x=40.0 + i, y=40.0) for i in range(3)]
        if name == "transfer_keypoints":
            request = self._subject.inline_request()
            request.timeout = SECONDS
            if self._rng.random() < 0.5:
                request.source_image, request.points = messages["image"], points
                request.source_camera_info, request.source_depth = messages["camera_info"], messages["depth"]
            return request
        if name == "store_demonstration":
            return StoreDemonstration.Request(
                demonstration_id="fuzz", class_name=name_, image=messages["image"], points=points,
                camera_info=messages["camera_info"], depth=messages["depth"], overwrite=True,
            )  # fmt: skip
        if name == "load_class":
            return LoadClass.Request(path=str(self._subject.class_file))
        if name == "unload_class":
            return UnloadClass.Request(class_name="none")
        return KINDS[name].Request()


def spoil_request(request: Any, rng: np.random.Generator) -> Any:
    """Some fields of a request; one without fields stays."""
    return spoil(request, rng, int(rng.integers(1, 4))) if request.get_fields_and_field_types() else request
