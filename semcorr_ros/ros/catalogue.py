"""~/classes: what the node holds, for present and late subscribers alike."""

from __future__ import annotations

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from semcorr_ros.msg import ClassCatalogue
from semcorr_ros.ros.class_bank import Resident
from semcorr_ros.ros.messages import class_message

LATCHED = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)


class Catalogue:
    """The latched publisher."""

    def __init__(self, node: Node):
        self._node = node
        self._publisher = node.create_publisher(ClassCatalogue, "~/classes", LATCHED)

    def publish(self, residents: list[Resident]) -> None:
        """Replace what was said before."""
        message = ClassCatalogue(stamp=self._node.get_clock().now().to_msg())
        message.classes = [class_message(resident) for resident in residents]
        self._publisher.publish(message)
