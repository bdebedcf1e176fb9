"""A subscription that is as reliable as its publishers.

One that asks for best effort hears everybody, but without shared memory for large messages it loses most
images (docs/benchmarks.md, "Faults and load"). One that asks for reliability does not hear publishers that
offer best effort. So it asks for what all publishers of the topic offer, and asks anew when that changes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSPolicyKind, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions

from semcorr_ros.refusal import Code
from semcorr_ros.ros.quality_of_service import on_trouble

AS_OFFERED = "best_available"  # ROS's own word; its own way of doing it decides once, at the start
RELIABILITIES = {
    AS_OFFERED: ReliabilityPolicy.BEST_EFFORT,  # until a publisher is known
    "best_effort": ReliabilityPolicy.BEST_EFFORT,
    "reliable": ReliabilityPolicy.RELIABLE,
}
OVERRIDABLE = (QoSPolicyKind.HISTORY, QoSPolicyKind.DEPTH)


class Listener:
    """Takes the latest message. `adapt` is to be called now and then."""

    def __init__(
        self,
        node: Node,
        stream: tuple[type, str],
        take: Callable[[Any], None],
        drop: Callable[[Code, str], Any],
        group: CallbackGroup,
    ):
        """stream: message and topic; drop: told what does not arrive, and why.

        Raises ValueError for an override that is no reliability.
        """
        self._node, (self._kind, self.topic) = node, stream
        self._take, self._drop, self._group = take, drop, group
        wish = _wish(node, self.topic)
        self._adapts = wish == AS_OFFERED
        self.reliability = RELIABILITIES[wish]
        self._subscription = self._subscribe()

    def adapt(self) -> None:
        """Ask for what the publishers offer, unless the user has said what to ask for."""
        if not self._adapts:
            return
        wanted = offered(self._node, self.topic) or self.reliability  # as before, for those that come back
        if wanted != self.reliability:
            self.close()
            self.reliability = wanted
            self._subscription = self._subscribe()

    def close(self) -> None:
        """Unsubscribe."""
        self._node.destroy_subscription(self._subscription)

    def _subscribe(self) -> Any:
        return self._node.create_subscription(
            self._kind,
            self.topic,
            self._take,
            QoSProfile(depth=1, reliability=self.reliability),  # rclpy writes overrides into it
            callback_group=self._group,
            event_callbacks=on_trouble(self._node, self.topic, self._tell),
            qos_overriding_options=QoSOverridingOptions(OVERRIDABLE),
        )

    def _tell(self, code: Code, sentence: str) -> None:
        if self._adapts and code == Code.QOS_INCOMPATIBLE:
            return  # a moment later it fits
        self._drop(code, sentence)


def offered(node: Node, topic: str) -> ReliabilityPolicy | None:
    """The most that every publisher of a topic offers; None where there is no publisher."""
    offers = {info.qos_profile.reliability for info in node.get_publishers_info_by_topic(topic)}
    if not offers:
        return None
    return (
        ReliabilityPolicy.RELIABLE
        if offers == {ReliabilityPolicy.RELIABLE}
        else ReliabilityPolicy.BEST_EFFORT
    )


def _wish(node: Node, topic: str) -> str:
    """What the user wants, by the name that rclpy gives such parameters. Raises ValueError."""
    name = f"qos_overrides.{topic}.subscription.reliability"
    if not node.has_parameter(name):
        what = f"{', '.join(RELIABILITIES)}; {AS_OFFERED} = what all publishers offer"
        node.declare_parameter(name, AS_OFFERED, ParameterDescriptor(description=what, read_only=True))
    wish = str(node.get_parameter(name).value)
    if wish not in RELIABILITIES:
        raise ValueError(f"{name} must be one of {', '.join(RELIABILITIES)}, got {wish!r}")
    return wish
