"""A camera with raw images of 12 megapixels, as a process: `python large_camera.py IMAGES PER_SECOND`."""

from __future__ import annotations

import sys
import time
from array import array

import rclpy
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image

WIDTH, HEIGHT = 4000, 3000


def main(images: int, rate: float) -> None:
    """Reliable, as drivers publish; waits for a subscription first."""
    rclpy.init()
    node = rclpy.create_node("large_camera")
    publisher = node.create_publisher(Image, "image", QoSProfile(depth=2))
    message = Image(width=WIDTH, height=HEIGHT, encoding="rgb8", step=3 * WIDTH)
    message.data = array("B", bytes(3 * WIDTH * HEIGHT))
    while not publisher.get_subscription_count():
        rclpy.spin_once(node, timeout_sec=0.05)
    for _ in range(images):
        message.header.stamp = node.get_clock().now().to_msg()
        publisher.publish(message)
        time.sleep(1 / rate)
    time.sleep(5)  # what was sent last may still be on its way
    rclpy.try_shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
