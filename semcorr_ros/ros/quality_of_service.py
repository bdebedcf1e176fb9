"""Quality of service: what a subscription asks for, what its publishers offer, and which are incompatible.

A best-effort subscription receives from every publisher, but without shared memory for large messages it
loses most images (docs/benchmarks.md, "Faults and load"). A reliable one receives nothing from best-effort
publishers, and neither side reports it. What was published before it, only a subscription that is transient
local receives, and only of such publishers: a calibration that is sent once. So a `Listener` asks for what
all publishers of its topic offer, asks anew when that changes, and names those that it cannot receive.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.qos import (
    DurabilityPolicy,
    QoSCompatibility,
    QoSPolicyKind,
    QoSProfile,
    ReliabilityPolicy,
    qos_check_compatible,
)
from rclpy.qos_overriding_options import QoSOverridingOptions

from semcorr_ros.refusal import Code
from semcorr_ros.serving.senders import Senders

try:
    from rclpy.event_handler import SubscriptionEventCallbacks, UnsupportedEventTypeError
except ImportError:  # before Iron
    from rclpy.qos_event import SubscriptionEventCallbacks, UnsupportedEventTypeError

# The default keeps ten requests: of fifty concurrent callers, forty would get no answer, not even BUSY.
SERVICES = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)
AS_OFFERED = "best_available"  # ROS's own name for it, but ROS decides only once, at the start
# policy -> its values, the weakest first: it receives of every publisher
POLICIES: dict[str, dict[str, Any]] = {
    "reliability": {
        "best_effort": ReliabilityPolicy.BEST_EFFORT,
        "reliable": ReliabilityPolicy.RELIABLE,
    },
    "durability": {
        "volatile": DurabilityPolicy.VOLATILE,
        "transient_local": DurabilityPolicy.TRANSIENT_LOCAL,
    },
}
QUEUED = 4  # a late turn of the executor must not part an image from its depth
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

        Raises ValueError for an override that is no value of its policy.
        """
        self._node, (self._kind, self.topic) = node, stream
        self._take, self._drop, self._group = take, drop, group
        self._wishes = {policy: _wish(node, self.topic, policy) for policy in POLICIES}
        self._senders = Senders()
        self.quality = self._wanted(offered(node, self.topic) or {})
        self._subscription = self._subscribe()

    def adapt(self) -> None:
        """Resubscribe with what the publishers offer, unless the user has chosen."""
        wanted = self._wanted(offered(self._node, self.topic) or self.quality)  # without any, keep the last
        if wanted != self.quality:
            self.close()
            self.quality = wanted
            self._subscription = self._subscribe()

    def close(self) -> None:
        """Unsubscribe."""
        self._node.destroy_subscription(self._subscription)

    @property
    def published(self) -> bool:
        """Whether somebody publishes on the topic."""
        return self._node.count_publishers(self.topic) > 0

    def rivals(self) -> list[str]:
        """Name the publishers whose messages alternate; empty where one sends alone."""
        alternating = self._senders.alternating()
        if not alternating:
            return []
        known = {
            bytes(info.endpoint_gid): info for info in self._node.get_publishers_info_by_topic(self.topic)
        }
        alive = [known[sender] for sender in alternating if sender in known]
        names = [f"{info.node_namespace.rstrip('/')}/{info.node_name}" for info in alive]
        return sorted(names) if len(names) > 1 else []

    def _wanted(self, offers: dict[str, Any]) -> dict[str, Any]:
        """Choose a value for every policy: the user's, else the offered one, else the weakest."""
        chosen = {}
        for policy, values in POLICIES.items():
            wish = self._wishes[policy]
            weakest = next(iter(values.values()))
            chosen[policy] = offers.get(policy, weakest) if wish == AS_OFFERED else values[wish]
        return chosen

    def _receive(self, message: Any, info: Any) -> None:
        sender = info.get("publisher_gid") if isinstance(info, dict) else None  # since Kilted
        if sender is not None:
            self._senders.note(bytes(sender["data"]))
        self._take(message)

    def _subscribe(self) -> Any:
        return self._node.create_subscription(
            self._kind,
            self.topic,
            self._receive,
            QoSProfile(depth=QUEUED, **self.quality),  # rclpy writes overrides into it
            callback_group=self._group,
            event_callbacks=on_trouble(self._node, self.topic, self._tell),
            qos_overriding_options=QoSOverridingOptions(OVERRIDABLE),
        )

    def _tell(self, code: Code, sentence: str) -> None:
        if code == Code.QOS_INCOMPATIBLE and set(self._wishes.values()) == {AS_OFFERED}:
            return  # a moment later it fits
        self._drop(code, sentence)


def offered(node: Node, topic: str) -> dict[str, Any] | None:
    """Return, by policy, what every publisher of a topic offers; None without publishers."""
    offers = [info.qos_profile for info in node.get_publishers_info_by_topic(topic)]
    if not offers:
        return None
    found = {}
    for policy, values in POLICIES.items():
        weakest, strongest = values.values()
        found[policy] = strongest if all(getattr(o, policy) == strongest for o in offers) else weakest
    return found


def _wish(node: Node, topic: str, policy: str) -> str:
    """Read the value that the user wants, from rclpy's own parameter for it. Raises ValueError."""
    name = f"qos_overrides.{topic}.subscription.{policy}"
    allowed = [AS_OFFERED, *POLICIES[policy]]
    if not node.has_parameter(name):
        what = f"{', '.join(allowed)}; {AS_OFFERED} = what all publishers offer"
        node.declare_parameter(name, AS_OFFERED, ParameterDescriptor(description=what, read_only=True))
    wish = str(node.get_parameter(name).value)
    if wish not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {wish!r}")
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
