"""/diagnostics of the node, in every lifecycle state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup

from semcorr_ros.memory import MEGABYTE, peak_memory

if TYPE_CHECKING:
    from semcorr_ros.ros.perceive import PerceiveNode

PERIOD = 1.0  # seconds


class Diagnostics:
    """Publishes once a second."""

    def __init__(self, node: PerceiveNode):
        self._node = node
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 5)
        group = MutuallyExclusiveCallbackGroup()
        node.create_timer(PERIOD, self._publish, callback_group=group, clock=node.steady)

    def _publish(self) -> None:
        node = self._node
        message = node.counters.message(f"{node.get_fully_qualified_name()[1:]}: perception")
        message.header.stamp = node.get_clock().now().to_msg()
        status = message.status[0]
        status.values.append(KeyValue(key="lifecycle state", value=node.state))
        status.values.append(KeyValue(key="alignment kernels", value=node.kernels.state))
        status.values += _memory()
        if not node.active:
            status.level, status.message = DiagnosticStatus.OK, f"the node is {node.state}"
            if not node.kernels.ready:
                status.level, status.message = DiagnosticStatus.WARN, node.kernels.state
        self._publisher.publish(message)


def _memory() -> list[KeyValue]:
    """Peaks since the process began."""
    peak = peak_memory()
    gpu = "no GPU is used" if peak["gpu_bytes"] is None else f"{peak['gpu_bytes'] / MEGABYTE:.0f}"
    return [
        KeyValue(key="peak memory of the process MB", value=f"{peak['process_bytes'] / MEGABYTE:.0f}"),
        KeyValue(key="peak memory on the GPU MB", value=gpu),
    ]
