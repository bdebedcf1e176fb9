"""How fast a busy node obeys: lifecycle transitions and cancels, while inference runs all the time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.action import ActionClient
from semcorr_ros.action import AlignClass

from benchmark.faults import lab
from semcorr_ros.refusal import Code

LONG_STEPS = 200_000  # of an optimisation that would take minutes
INTO = 1.0  # seconds of inference before a transition comes in between


def transitions(subject: lab.Subject, count: int) -> dict[str, Any]:
    """Milliseconds until deactivate and activate are answered in the middle of an inference."""
    subject = _long(subject)
    cycle = (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_ACTIVATE)
    took: list[float] = []
    states = Code.NONE, Code.INACTIVE
    ended = []
    with lab.start_node(subject) as node, lab.start_camera(subject, 30.0), lab.probing() as probe:
        goals = _Goals(probe, subject)
        while len(took) < count:
            result = goals.start()
            probe.spin_until(lambda: False, INTO)
            for transition in cycle:
                request = ChangeState.Request(transition=Transition(id=transition))
                start = time.perf_counter()
                done = probe.call(ChangeState, f"{subject.full_name}/change_state", request).success
                took.append(1000 * (time.perf_counter() - start))
                assert done, transition
            ended.append(goals.end(result))
        tracebacks = node.tracebacks()
    return _times(took) | {
        "answered_inactive": ended.count(states[1].name), "goals": len(ended), "tracebacks": tracebacks,
    }  # fmt: skip


def cancels(subject: lab.Subject, count: int) -> dict[str, Any]:
    """Milliseconds from a cancel to the result, and to the next goal's first step."""
    subject = _long(subject)
    took: list[float] = []
    free: list[float] = []
    ended = []
    with lab.start_node(subject) as node, lab.start_camera(subject), lab.probing() as probe:
        goals = _Goals(probe, subject)
        result = goals.start()
        for _ in range(count):
            start = time.perf_counter()
            goals.cancel()
            ended.append(goals.end(result))
            took.append(1000 * (time.perf_counter() - start))
            result = goals.start("features")
            free.append(1000 * (time.perf_counter() - start))
            goals.reach("optimize")
        goals.cancel()
        tracebacks = node.tracebacks()
    next_ = {f"next_goal_{key}": value for key, value in _times(free).items() if key != "count"}
    return _times(took) | next_ | {"canceled": ended.count("CANCELED"), "tracebacks": tracebacks}


class _Goals:
    """One goal after the other."""

    def __init__(self, probe: lab.Probe, subject: lab.Subject):
        self._probe, self._goal = probe, AlignClass.Goal(class_name=subject.class_name)
        self._client = ActionClient(probe.node, AlignClass, f"{subject.full_name}/align_class")
        self._stages: set[str] = set()
        self._handle: Any = None
        probe.transfer_until(subject, lambda answer: answer.error_code == Code.TIMEOUT, lab.UP)  # images come
        self._wait(self._client.server_is_ready)

    def start(self, stage: str = "optimize") -> Any:
        """Future of the result of a goal that has reached a stage."""
        self._stages = set()
        while True:
            accepted = self._client.send_goal_async(self._goal, self._note(self._stages))
            self._wait(accepted.done)
            self._handle = accepted.result()
            result = self._handle.get_result_async()
            self._wait(lambda done=result.done: stage in self._stages or done())
            if not result.done():
                return result  # else just activated: no image has arrived yet

    def reach(self, stage: str) -> None:
        """Until the goal is there."""
        self._wait(lambda: stage in self._stages)

    def cancel(self) -> None:
        """Ask for it; do not wait."""
        self._handle.cancel_goal_async()

    def end(self, result: Any) -> str:
        """Name of the code it ended with."""
        self._wait(result.done)
        return Code(result.result().result.error_code).name

    def _note(self, stages: set[str]) -> Callable[[Any], None]:
        return lambda message: stages.add(message.feedback.stage)

    def _wait(self, condition: Callable[[], Any]) -> None:
        if not self._probe.spin_until(condition, lab.ANSWER):
            raise TimeoutError("the action does not go on")


def _long(subject: lab.Subject) -> lab.Subject:
    """Requests that name no time are over soon; goals, which have no deadline, are not."""
    path = Path(subject.folder) / "long.yaml"
    path.write_text(f"optimize: {{steps: {LONG_STEPS}}}\n")
    longer = {"quality": str(path.resolve()), "request_timeout": 1.0}
    return replace(subject, parameters={**subject.parameters, **longer})


def _times(milliseconds: list[float]) -> dict[str, Any]:
    return {
        "count": len(milliseconds),
        "p50_ms": round(float(np.median(milliseconds)), 2),
        "p99_ms": round(float(np.quantile(milliseconds, 0.99)), 2),
        "max_ms": round(max(milliseconds), 2),
    }
