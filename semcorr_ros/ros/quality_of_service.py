"""Quality of service: what a subscription asks for, what its publishers offer, and which are incompatible.

A best-effort subscription receives from every publisher, but without shared memory for large messages it
loses most images (docs/benchmarks.md, "Faults and load"). A reliable one receives nothing from best-effort
publishers, and neither side reports it. So a `Listener` asks for what all publishers of its topic offer,
asks anew when that changes, and names those that it cannot receive.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.qos import (
    QoSCompatibility,
    QoSPolicyKind,
    QoSProfile,
    ReliabilityPolicy,
    qos_check_compatible,
)
from rclpy.qos_overriding_options import QoSOverridingOptions

from semcorr_ros.refusal import Code

try:
    from rclpy.event_handler import SubscriptionEventCallbacks, UnsupportedEventTypeError
except ImportError:  # before Iron
    from rclpy.qos_event import SubscriptionEventCallbacks, UnsupportedEventTypeError

# The default keeps ten requests: of fifty concurrent callers, forty would get no answer, not even BUSY.
SERVICES = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)
AS_OFFERED = "best_available"  # ROS's own name for it, but ROS decides only once, at the start
RELIABILITIES = {
    AS_OFFERED: ReliabilityPolicy.BEST_EFFORT,  # until a publisher is known
    "best_effort": ReliabilityPolicy.BEST_EFFORT,
    "reliable": ReliabilityPolicy.RELIABLE,
}
OVERRIDABLE = (QoSPolicyKind.HISTORY, QoSPolicyKind.DEPTH)


class Listener:
    """A subscription to the latest message. Call `adapt` periodically."""

    def __init__(
        self,
        node: Node,
        stream: tuple[type, str],
        take: Callable[[Any], None],
        drop: Callable[[Code, str], Any],
        group: CallbackGroup,
    ):
        """Subscribe. stream: message type and topic; drop: called with what does not arrive, and why.

        Raises ValueError for an override that is no reliability.
        """
        self._node, (self._kind, self.topic) = node, stream
        self._take, self._drop, self._group = take, drop, group
        wish = _wish(node, self.topic)
        self._adapts = wish == AS_OFFERED
        self.reliability = RELIABILITIES[wish]
        self._subscription = self._subscribe()

    def adapt(self) -> None:
        """Resubscribe with the reliability that the publishers offer, unless the user has chosen one."""
        if not self._adapts:
            return
        wanted = offered(self._node, self.topic) or self.reliability  # without publishers, keep the last one
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
    """Return the reliability that every publisher of a topic offers; None without publishers."""
    offers = {info.qos_profile.reliability for info in node.get_publishers_info_by_topic(topic)}
    if not offers:
        return None
    return (
        ReliabilityPolicy.RELIABLE
        if offers == {ReliabilityPolicy.RELIABLE}
        else ReliabilityPolicy.BEST_EFFORT
    )


def _wish(node: Node, topic: str) -> str:
    """Read the reliability that the user wants, from rclpy's own parameter for it. Raises ValueError."""
    name = f"qos_overrides.{topic}.subscription.reliability"
    if not node.has_parameter(name):
        what = f"{', '.join(RELIABILITIES)}; {AS_OFFERED} = what all publishers offer"
        node.declare_parameter(name, AS_OFFERED, ParameterDescriptor(description=what, read_only=True))
    wish = str(node.get_parameter(name).value)
    if wish not in RELIABILITIES:
        raise ValueError(f"{name} must be one of {', '.join(RELIABILITIES)}, got {wish!r}")
    return wish


def on_trouble(node: Node, topic: str, drop: Callable[[Code, str], Any]) -> SubscriptionEventCallbacks:
    """Make callbacks that call `drop` with QOS_INCOMPATIBLE for every incompatible publisher and with
    MESSAGE_LOST for lost messages."""

    def incompatible(event: Any) -> None:
        for sentence in incompatible_publishers(node, topic) or [
            f"{topic}: a publisher's quality does not fit"
        ]:
            drop(Code.QOS_INCOMPATIBLE, sentence)

    def lost(event: Any) -> None:
        drop(Code.MESSAGE_LOST, f"{topic}: {event.total_count} messages were lost on their way to the node")

    return _Events(incompatible_qos=incompatible, message_lost=lost)


class _Events(SubscriptionEventCallbacks):
    """Event callbacks, dropped where the middleware does not support them: subscribing must still work."""

    def create_event_handlers(self, *arguments: Any, **named: Any) -> list[Any]:
        try:
            return super().create_event_handlers(*arguments, **named)
        except UnsupportedEventTypeError:
            self.incompatible_qos = self.message_lost = None
            return super().create_event_handlers(*arguments, **named)


def incompatible_publishers(node: Node, topic: str) -> list[str]:
    """Describe, one sentence each, the publishers of a topic that a subscription of `node` cannot receive."""
    wanted = [
        info for info in node.get_subscriptions_info_by_topic(topic)
        if (info.node_name, info.node_namespace) == (node.get_name(), node.get_namespace())
    ]  # fmt: skip
    sentences = []
    for offer in node.get_publishers_info_by_topic(topic):
        for wish in wanted:
            problem = mismatch(offer.qos_profile, wish.qos_profile)
            if problem:
                # Discovery knows a publisher before its node's name.
                known = not offer.node_name.startswith("_NODE_NAME")
                name = f"publisher {offer.node_name}" if known else "a publisher"
                sentences.append(f"{topic}: {name} {problem}")
    return sentences


def mismatch(offered: QoSProfile, wanted: QoSProfile) -> str:
    """Explain why two profiles are incompatible; empty when they are not."""
    compatibility, reason = qos_check_compatible(offered, wanted)
    if compatibility != QoSCompatibility.ERROR:
        return ""
    return f"offers {_policies(offered)}, subscribed with {_policies(wanted)}: {reason.strip()}"


def _policies(profile: QoSProfile) -> str:
    return f"{profile.reliability.name.lower()}, {profile.durability.name.lower()}"
