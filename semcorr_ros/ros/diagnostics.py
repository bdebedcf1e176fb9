"""/diagnostics of the node, in every lifecycle state."""

from __future__ import annotations

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from semcorr_ros.memory import MEGABYTE, peak_memory
from semcorr_ros.reasons import Level
from semcorr_ros.ros.kernels import Kernels
from semcorr_ros.ros.session import NodeState
from semcorr_ros.serving.counters import Counters, Report

PERIOD = 1.0  # seconds


class Diagnostics:
    """Publishes once a second."""

    def __init__(self, node: Node, counters: Counters, kernels: Kernels, state: NodeState):
        self._node, self._counters, self._kernels, self._state = node, counters, kernels, state
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 5)
        group = MutuallyExclusiveCallbackGroup()
        clock = Clock(clock_type=ClockType.STEADY_TIME)
        node.create_timer(PERIOD, self._publish, callback_group=group, clock=clock)

    def _publish(self) -> None:
        report, label = self._counters.report(), self._state.label()
        values = report.values | {"lifecycle state": label, "alignment kernels": self._kernels.state}
        level, text = report.level, report.text
        if not self._state.active:
            level, text = Level.OK, f"the node is {label}"
            if not self._kernels.ready:
                level, text = Level.WARN, self._kernels.state
        name = f"{self._node.get_fully_qualified_name()[1:]}: perception"
        message = DiagnosticArray(status=[status_message(name, Report(level, text, values | _memory()))])
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)


def status_message(name: str, report: Report) -> DiagnosticStatus:
    """Render a report."""
    status = DiagnosticStatus(name=name, level=bytes([report.level]), message=report.text)
    status.values = [KeyValue(key=key, value=value) for key, value in report.values.items()]
    return status


def _memory() -> dict[str, str]:
    """Format peak memory since the process began."""
    peak = peak_memory()
    gpu = "no GPU is used" if peak["gpu_bytes"] is None else f"{peak['gpu_bytes'] / MEGABYTE:.0f}"
    return {
        "peak memory of the process MB": f"{peak['process_bytes'] / MEGABYTE:.0f}",
        "peak memory on the GPU MB": gpu,
    }
