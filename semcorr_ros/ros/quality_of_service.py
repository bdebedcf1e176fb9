"""A publisher and a subscription whose qualities of service do not fit exchange nothing, and say nothing:
name both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSCompatibility, QoSProfile, ReliabilityPolicy, qos_check_compatible

from semcorr_ros.refusal import Code

try:
    from rclpy.event_handler import SubscriptionEventCallbacks, UnsupportedEventTypeError
except ImportError:  # before Iron
    from rclpy.qos_event import SubscriptionEventCallbacks, UnsupportedEventTypeError

# The default keeps ten requests: of fifty callers at once, forty would never be answered, not even BUSY.
SERVICES = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)


def on_trouble(node: Node, topic: str, drop: Callable[[Code, str], Any]) -> SubscriptionEventCallbacks:
    """Calls `drop` with QOS_INCOMPATIBLE for every publisher that offers what we cannot take, and with
    MESSAGE_LOST when messages did not reach us.
    """

    def incompatible(event: Any) -> None:
        for sentence in incompatible_publishers(node, topic) or [
            f"{topic}: a publisher's quality does not fit"
        ]:
            drop(Code.QOS_INCOMPATIBLE, sentence)

    def lost(event: Any) -> None:
        drop(Code.MESSAGE_LOST, f"{topic}: {event.total_count} messages were lost on their way to the node")

    return _Events(incompatible_qos=incompatible, message_lost=lost)


class _Events(SubscriptionEventCallbacks):
    """A middleware that tells of no such event must not keep us from subscribing."""

    def create_event_handlers(self, *arguments: Any, **named: Any) -> list[Any]:
        try:
            return super().create_event_handlers(*arguments, **named)
        except UnsupportedEventTypeError:
            self.incompatible_qos = self.message_lost = None
            return super().create_event_handlers(*arguments, **named)


def incompatible_publishers(node: Node, topic: str) -> list[str]:
    """One sentence per publisher of a topic that some subscription of `node` on it cannot hear."""
    wanted = [
        info for info in node.get_subscriptions_info_by_topic(topic)
        if (info.node_name, info.node_namespace) == (node.get_name(), node.get_namespace())
    ]  # fmt: skip
    sentences = []
    for offer in node.get_publishers_info_by_topic(topic):
        for wish in wanted:
            problem = mismatch(offer.qos_profile, wish.qos_profile)
            if problem:
                # Discovery tells of a publisher before it tells of its node.
                known = not offer.node_name.startswith("_NODE_NAME")
                name = f"publisher {offer.node_name}" if known else "a publisher"
                sentences.append(f"{topic}: {name} {problem}")
    return sentences


def mismatch(offered: QoSProfile, wanted: QoSProfile) -> str:
    """Why the two exchange nothing, with both profiles; empty when they do."""
    compatibility, reason = qos_check_compatible(offered, wanted)
    if compatibility != QoSCompatibility.ERROR:
        return ""
    return f"offers {_policies(offered)}, subscribed with {_policies(wanted)}: {reason.strip()}"


def _policies(profile: QoSProfile) -> str:
    return f"{profile.reliability.name.lower()}, {profile.durability.name.lower()}"
