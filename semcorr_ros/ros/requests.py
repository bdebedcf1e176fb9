"""From a request to the inference thread and back, without blocking the executor; errors become refusals."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable
from typing import Any

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.task import Future

from semcorr_ros.refusal import Code, Refusal, shortened
from semcorr_ros.ros.quality_of_service import SERVICES
from semcorr_ros.ros.running import FailureLog
from semcorr_ros.ros.session import NodeState
from semcorr_ros.serving.counters import Counters
from semcorr_ros.serving.worker import REQUESTS, Job, KeepGoing


class Requests:
    """Serves coroutines that wait for the inference thread."""

    def __init__(self, node: Node, state: NodeState, counters: Counters, failures: FailureLog):
        self._node, self._state, self._counters, self._failures = node, state, counters, failures
        self.group = ReentrantCallbackGroup()  # several requests may wait for the worker at once

    def serve(self, kind: type, name: str, answer: Callable[[Any, Any], Awaitable[Any]]) -> None:
        """Create the service ~/name. `answer` fills in a response; what it raises becomes a refusal."""

        async def callback(request: Any, response: Any) -> Any:
            try:
                return await answer(request, response)
            except Exception as error:
                return self.refuse(response, error)

        self._node.create_service(
            kind, f"~/{name}", callback, qos_profile=SERVICES, callback_group=self.group
        )

    async def run(self, work: Callable[[KeepGoing], Any], timeout: float = 0.0, lane: str = REQUESTS) -> Any:
        """Run `work` on the inference thread and return its result; timeout in seconds, 0 = the parameter.
        Raises Refusal."""
        check_timeout(timeout)
        future, _ = self.submit(work, timeout or self._state.settings.request_timeout, lane)
        outcome = await future
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def submit(self, work: Callable[[KeepGoing], Any], seconds: float, lane: str) -> tuple[Future, Job]:
        """Queue `work`; return the future of its result or exception, and the job. Raises Refusal INACTIVE,
        BUSY."""
        node = self._node
        future: Future = Future(executor=node.executor)

        def deliver(outcome: Any) -> None:
            future.set_result(outcome)
            if node.executor is not None:
                node.executor.wake()  # the waiting coroutine is resumed by the executor's next turn

        session = self._state.session
        job = Job(
            lambda keep_going: session.spare(lambda: work(keep_going)),
            deliver,
            time.monotonic() + seconds,
            lane,
        )
        session.submit(job)
        return future, job

    def answered(self) -> None:
        """Count a request that was answered."""
        self._counters.add("requests answered")

    def refuse(self, response: Any, error: Exception) -> Any:
        """Fill the error fields of a response; an unforeseen error is logged with its traceback."""
        if isinstance(error, Refusal):
            code, message = error.code, error.message
        else:
            code, message = Code.UNKNOWN, shortened(f"{type(error).__name__}: {error}")
            self._failures.add(error)
        self._counters.drop(code, message)
        for name, value in (("success", False), ("error_code", int(code)), ("message", message)):
            if hasattr(response, name):
                setattr(response, name, value)
        return response


def check_timeout(seconds: float) -> None:
    """Check the timeout of a request. Raises Refusal BAD_REQUEST."""
    if not 0 <= seconds < math.inf:
        raise Refusal(Code.BAD_REQUEST, f"timeout is in seconds, 0 = `request_timeout`; got {seconds:g}")


def left(seconds: float, begun: float) -> float:
    """Return what is left of a timeout since `begun` (time.monotonic), at least a moment; 0 stays 0."""
    return seconds and max(1e-3, seconds - (time.monotonic() - begun))
