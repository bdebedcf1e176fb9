"""~/align_class: place a class on demand, with progress, cancellation, deadline and preemption.

A goal is always accepted: a rejection could not carry the reason, a result can.
"""

from __future__ import annotations

import math
import time
from typing import Any

from rclpy.action import ActionServer, CancelResponse
from rclpy.action.server import RCLError, ServerGoalHandle
from rclpy.node import Node

from semcorr_ros.action import AlignClass
from semcorr_ros.finder import Watch
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.ros.camera import Cameras
from semcorr_ros.ros.messages import error_of, instance_message, pose_message
from semcorr_ros.ros.outputs import Outputs
from semcorr_ros.ros.requests import Requests, left
from semcorr_ros.ros.session import NodeState
from semcorr_ros.ros.transfer import Aim, wanted
from semcorr_ros.serving.worker import GOALS, Job, KeepGoing

FEEDBACK_PERIOD = 0.05  # seconds between two messages within a stage
RESULT_KEPT = 60  # seconds for which a client may ask for a result


class AlignAction:
    """The goal's coroutine waits for the worker without holding the executor, so a cancel gets through."""

    def __init__(self, node: Node, requests: Requests, state: NodeState, cameras: Cameras, outputs: Outputs):
        self._requests, self._state, self._cameras, self._outputs = requests, state, cameras, outputs
        self._jobs: dict[bytes, Job] = {}  # of unfinished goals, by goal id
        self._server = ActionServer(
            node,
            AlignClass,
            "~/align_class",
            execute_callback=self._execute,
            cancel_callback=self._cancel,
            callback_group=requests.group,
            result_timeout=RESULT_KEPT,
        )

    def preempt(self, sentence: str) -> int:
        """Abort every goal; return how many there were."""
        jobs = list(self._jobs.values())
        for job in jobs:
            job.answer(Refusal(Code.PREEMPTED, sentence))
        return len(jobs)

    async def _execute(self, handle: ServerGoalHandle) -> AlignClass.Result:
        result = AlignClass.Result()
        try:
            result.header = self._cameras.header(handle.request.camera)  # a refusal, too, is about a picture
            result = await self._outcome(handle, result)
            self._requests.answered()
        except Exception as error:
            result = self._requests.refuse(result, error)
        finally:
            self._jobs.pop(_key(handle), None)
        _finish(handle, result)
        return result

    async def _outcome(self, handle: ServerGoalHandle, refused: AlignClass.Result) -> AlignClass.Result:
        state, goal = self._state, handle.request
        seconds = _seconds(goal)
        session = state.active_session()
        session.bank.get(goal.class_name)
        begun = time.monotonic()
        wait = 0.0 if seconds == math.inf else seconds
        picture = await self._cameras.picture(goal.camera, wanted(goal), wait, lambda: _check(handle))
        refused.header = picture.header
        self._make_way(goal)
        report = _Feedback(handle)
        report("queued", 0.0, math.nan)

        def work(keep_going: KeepGoing) -> AlignClass.Result:
            start = time.perf_counter()
            aim, watch = Aim(goal.camera, goal.roi, goal.instance_id), Watch(keep_going, report)
            (answer,) = session.seek(state.finder, goal.class_name, picture, aim, watch)
            report.end(answer.confidence)
            result = AlignClass.Result(header=picture.header)
            result.pose, result.keypoints = pose_message(answer), instance_message(answer)
            result.error_code, result.message = error_of(answer)
            result.inference_time = time.perf_counter() - start
            return self._outputs.in_target_frame(result)

        future, job = self._requests.submit(work, left(seconds, begun), GOALS)
        self._jobs[_key(handle)] = job
        if handle.is_cancel_requested:  # canceled before the job existed
            job.answer(_canceled())
        result = await future
        if isinstance(result, BaseException):
            raise result
        return result

    def _make_way(self, goal: Any) -> None:
        """Handle unfinished goals as the goal's `when_busy` says. Raises Refusal BAD_REQUEST, BUSY."""
        if goal.when_busy == AlignClass.Goal.PREEMPT:
            self.preempt("a goal that preempts has come")
        elif goal.when_busy == AlignClass.Goal.REFUSE:
            if self._jobs:
                raise Refusal(Code.BUSY, f"{len(self._jobs)} goals are there already")
        elif goal.when_busy != AlignClass.Goal.QUEUE:
            raise Refusal(
                Code.BAD_REQUEST, f"when_busy must be QUEUE=0, PREEMPT=1 or REFUSE=2, got {goal.when_busy}"
            )

    def _cancel(self, handle: ServerGoalHandle) -> CancelResponse:
        job = self._jobs.get(_key(handle))
        if job is not None:
            job.answer(_canceled())  # which also stops the work, at its next step
        self._cameras.wake()
        return CancelResponse.ACCEPT


class _Feedback:
    """A Report that publishes stage and progress, from the inference thread."""

    def __init__(self, handle: ServerGoalHandle):
        self._handle = handle
        self._stage, self._last = "", -math.inf
        self._energy = math.nan

    def __call__(self, stage: str, progress: float, energy: float) -> None:
        now = time.monotonic()
        if stage == self._stage and now - self._last < FEEDBACK_PERIOD:
            return
        self._stage, self._last, self._energy = stage, now, energy
        self._publish(progress, math.nan)

    def end(self, score: float) -> None:
        """Publish the final feedback, with the confidence."""
        self._publish(1.0, score)

    def _publish(self, progress: float, score: float) -> None:
        feedback = AlignClass.Feedback(stage=self._stage, progress=float(progress))
        feedback.best_score, feedback.best_energy = float(score), float(self._energy)
        self._handle.publish_feedback(feedback)


def _seconds(goal: Any) -> float:
    """Return the seconds until the deadline; infinite without one. Raises Refusal BAD_REQUEST."""
    seconds = goal.deadline.sec + goal.deadline.nanosec * 1e-9
    if seconds < 0:
        raise Refusal(Code.BAD_REQUEST, f"the deadline is {seconds:.3f} s; it counts from now, 0 = none")
    return seconds or math.inf


def _finish(handle: ServerGoalHandle, result: AlignClass.Result) -> None:
    try:
        if handle.is_cancel_requested and result.error_code == Code.CANCELED:
            handle.canceled()
        elif result.error_code == Code.NONE:
            handle.succeed()
        else:
            handle.abort()
    except RCLError:  # the node is being destroyed
        pass


def _check(handle: ServerGoalHandle) -> None:
    if handle.is_cancel_requested:
        raise _canceled()


def _canceled() -> Refusal:
    return Refusal(Code.CANCELED, "the goal was canceled")


def _key(handle: ServerGoalHandle) -> bytes:
    return bytes(handle.goal_id.uuid)
