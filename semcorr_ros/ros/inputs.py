"""Image, depth and calibration subscriptions, combined into the latest picture. O(1) callbacks."""

from __future__ import annotations

import time
from collections.abc import Callable

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image

from semcorr_ros.ros.counters import Counters
from semcorr_ros.ros.perception import Picture
from semcorr_ros.ros.refusal import Code, Refusal
from semcorr_ros.sensing.synchronizer import Synchronizer

DEPTH_PATIENCE = 1.0  # seconds without depth after which "auto" goes on without it
SENSOR_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)


class Inputs:
    """Subscribes to image, camera_info and depth in the node's namespace, or in `camera` below it."""

    def __init__(self, node: Node, depth: str, slop: float, counters: Counters, camera: str = ""):
        self._counters = counters
        self._logger = node.get_logger()
        self._depth_mode = depth
        self._synchronizer = Synchronizer(("image", "depth"), slop)
        self._info: CameraInfo | None = None
        self._latest: Picture | None = None
        self._arrived = self._image_arrived = self._depth_arrived = -float("inf")
        self.on_picture: Callable[[Picture], None] = lambda picture: None
        self._node, self._subscriptions = node, []
        group = MutuallyExclusiveCallbackGroup()
        streams = [("image", Image, self._take_image), ("camera_info", CameraInfo, self._take_info)]
        if depth != "none":
            streams.append(("depth", Image, self._take_depth))
        for name, kind, take in streams:
            topic = f"{camera}/{name}" if camera else name
            subscription = node.create_subscription(kind, topic, take, SENSOR_QOS, callback_group=group)
            self._subscriptions.append(subscription)

    def close(self) -> None:
        """Unsubscribe. Called when the node is deactivated."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()

    def latest(self, max_age: float) -> Picture:
        """The latest complete picture. Raises Refusal NO_IMAGE, NO_CAMERA_INFO."""
        now = time.monotonic()
        if self._image_arrived == -float("inf"):
            raise Refusal(Code.NO_IMAGE, "no image has arrived on the topic `image`")
        if self._info is None:
            raise Refusal(Code.NO_CAMERA_INFO, "no message has arrived on the topic `camera_info`")
        if self._info.k[0] == 0:
            raise Refusal(Code.NO_CAMERA_INFO, "camera_info is of an uncalibrated camera (k[0] = 0)")
        if self._latest is None:
            raise Refusal(Code.NO_IMAGE, "images arrive, but no depth within `sync_slop` of their stamps")
        if max_age and now - self._arrived > max_age:
            raise Refusal(
                Code.NO_IMAGE,
                f"the latest image is {now - self._arrived:.1f} s old, max_image_age is {max_age:.1f} s",
            )
        return self._latest

    def _take_image(self, message: Image) -> None:
        self._counters.add("images received")
        self._image_arrived = time.monotonic()
        if self._waits_for_depth():
            self._match("image", message)
        else:
            self._complete(message, None)

    def _take_depth(self, message: Image) -> None:
        self._counters.add("depth images received")
        self._depth_arrived = time.monotonic()
        self._match("depth", message)

    def _take_info(self, message: CameraInfo) -> None:
        self._info = message

    def _waits_for_depth(self) -> bool:
        if self._depth_mode == "auto":
            return time.monotonic() - self._depth_arrived < DEPTH_PATIENCE
        return self._depth_mode == "required"

    def _match(self, stream: str, message: Image) -> None:
        before = self._synchronizer.dropped
        matched = self._synchronizer.add(
            stream, Time.from_msg(message.header.stamp).nanoseconds * 1e-9, message
        )
        if self._synchronizer.dropped > before:
            sentence = "an image or depth image found no partner within `sync_slop`"
            self._counters.drop("SYNC_MISS", sentence)
        if matched is not None:
            self._complete(matched["image"], matched["depth"])

    def _complete(self, image: Image, depth: Image | None) -> None:
        if self._info is None:
            self._counters.drop(Code.NO_CAMERA_INFO, "an image came before any camera_info")
            return
        if self._latest is None:
            self._warn_of_contradictions(image, self._info, depth)
        self._latest = Picture(image, self._info, depth)
        self._arrived = time.monotonic()
        self.on_picture(self._latest)

    def _warn_of_contradictions(self, image: Image, info: CameraInfo, depth: Image | None) -> None:
        """Once, at the first picture: wrong wiring gives plausible pictures and wrong positions."""
        frames = {"image": image.header.frame_id, "camera_info": info.header.frame_id}
        if depth is not None:
            frames["depth"] = depth.header.frame_id
        if len(set(frames.values())) > 1:
            listed = ", ".join(f"{name} {frame!r}" for name, frame in frames.items())
            self._logger.warning(f"frames differ: {listed}; depth must be registered to the image")
        if any(value != 0 for value in info.d):
            self._logger.warning(
                "camera_info has lens distortion, which is not corrected here: feed the rectified image"
            )
