"""ROS 2 node: hold classes, place them in camera images, answer TransferKeypoints.

Subscribes to image, camera_info and depth (registered to the image, optional). Publishes ~/keypoints,
~/poses, ~/markers, ~/overlay, ~/classes (latched) and /diagnostics. Serves ~/transfer_keypoints,
~/list_classes, ~/load_class, ~/unload_class and ~/reset.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.task import Future

from semcorr_ros.ros import parameters, running, services, streaming
from semcorr_ros.ros.catalogue import Catalogue
from semcorr_ros.ros.class_bank import ClassBank
from semcorr_ros.ros.counters import Counters
from semcorr_ros.ros.inputs import Inputs
from semcorr_ros.ros.outputs import Outputs
from semcorr_ros.ros.perception import Perception, Picture
from semcorr_ros.ros.refusal import Code, Refusal
from semcorr_ros.ros.worker import Job, KeepGoing, Worker

EXPIRY_PERIOD = 0.1  # seconds between looks at the deadlines of requests
DIAGNOSTICS_PERIOD = 1.0
CLOSING_TIME = 5.0  # seconds the inference thread has to finish its step


class PerceiveNode(Node):
    """Callbacks only store and forward; one worker thread computes."""

    def __init__(self, **node_arguments: Any):
        super().__init__("semcorr", **node_arguments)
        self.settings = parameters.declare(self)
        self.counters = Counters()
        self.perception = Perception(self.settings)
        self.bank = ClassBank(self.perception.device, self.perception.backbone)
        self._load_classes()
        self.outputs = Outputs(self, self.settings.broadcast_tf)
        self.catalogue = Catalogue(self)
        self._streaming = streaming.Streaming(self)
        self.worker = Worker(self._streaming.look, self.settings.queue_size)
        self.inputs = Inputs(self, self.settings.depth, self.settings.sync_slop, self.counters)
        self.inputs.on_picture = self._offer
        self.service_group = ReentrantCallbackGroup()  # several requests may wait for the worker at once
        self._own_services = services.Services(self)
        self.add_on_set_parameters_callback(self._change)
        steady = Clock(clock_type=ClockType.STEADY_TIME)  # simulated time may stand still
        self.create_timer(EXPIRY_PERIOD, self.worker.expire, clock=steady)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 5)
        self.create_timer(DIAGNOSTICS_PERIOD, self._diagnose, clock=steady)
        self.catalogue.publish(self.bank.all())
        names = ", ".join(resident.model.info.name for resident in self.bank.all()) or "none"
        self.get_logger().info(
            f"ready on {self.perception.device} ({self.perception.backbone}), classes: {names}"
        )

    async def in_worker(self, work: Callable[[KeepGoing], Any], timeout: float) -> Any:
        """Result of `work`, computed by the worker while the executor goes on. Raises Refusal."""
        future: Future = Future(executor=self.executor)

        def deliver(outcome: Any) -> None:
            future.set_result(outcome)
            if self.executor is not None:
                self.executor.wake()  # the waiting coroutine is resumed by the executor's next turn

        seconds = timeout if timeout > 0 else self.settings.request_timeout
        self.worker.submit(Job(work, deliver, time.monotonic() + seconds))
        outcome = await future
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def refuse(self, response: Any, error: Exception) -> Any:
        """Fill the error fields of a response; an unforeseen error is logged with its traceback."""
        if isinstance(error, Refusal):
            code, message = error.code, error.message
        else:
            code, message = Code.UNKNOWN, f"{type(error).__name__}: {error}"
            streaming.log_failure(self, error)
        self.counters.drop(code, message)
        response.success, response.error_code, response.message = False, int(code), message
        return response

    def close(self) -> None:
        """Stop the inference thread."""
        if not self.worker.close(CLOSING_TIME):
            self.get_logger().warning("the inference thread did not stop in time")

    def _load_classes(self) -> None:
        for path in self.settings.classes:
            try:
                self.bank.load(path)
            except Refusal as refusal:
                raise ValueError(refusal.message) from refusal
        self.bank.activate(set(self.settings.active_classes))

    def _offer(self, picture: Picture) -> None:
        if any(resident.active for resident in self.bank.all()):
            self.worker.offer(picture)

    def _change(self, changes: list[Parameter]) -> SetParametersResult:
        try:
            self.settings = parameters.updated(self, changes)
        except ValueError as error:
            return parameters.rejection(error)
        if any(change.name == "active_classes" for change in changes):
            self.bank.activate(set(self.settings.active_classes))
            self.catalogue.publish(self.bank.all())
        return SetParametersResult(successful=True)

    def _diagnose(self) -> None:
        message = self.counters.message(f"{self.get_fully_qualified_name()[1:]}: perception")
        message.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(message)


def main(arguments: list[str]) -> int:
    """Run the node until SIGINT or SIGTERM."""
    return running.run(PerceiveNode, arguments, __doc__)
