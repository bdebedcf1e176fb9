"""Image, depth and calibration subscriptions, combined into the latest picture. O(1) callbacks."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from semcorr_ros.node_options import Parameters
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.ros.bridge import color_from_message
from semcorr_ros.ros.pairing import synchronizer
from semcorr_ros.ros.quality_of_service import Listener
from semcorr_ros.sensing.assembly import NEVER, Assembler, Moment
from semcorr_ros.sensing.picture import Picture
from semcorr_ros.sensing.reading import Reading, reading_for
from semcorr_ros.serving.counters import Counters

ADAPT_PERIOD = 0.5  # seconds between checks of what publishers offer
# parameter value -> (message, what image_transport appends to the topic); decoded in the worker
IMAGE_TRANSPORTS: dict[str, tuple[type, str]] = {
    "raw": (Image, ""),
    "compressed": (CompressedImage, "/compressed"),
}
DEPTH_TRANSPORTS: dict[str, tuple[type, str]] = {
    "raw": (Image, ""),
    "compressedDepth": (CompressedImage, "/compressedDepth"),
}


class Inputs:
    """Subscribes to image, camera_info and depth in the node's namespace, or in `camera` below it."""

    def __init__(
        self,
        node: Node,
        options: Parameters,
        counters: Counters,
        camera: str = "",
        transports: tuple[str, str] = ("raw", "raw"),
    ):
        """Subscribe. transports: of image and depth; keys of IMAGE_TRANSPORTS and DEPTH_TRANSPORTS."""
        self._node, self._counters, self._camera = node, counters, camera
        self._options, self._reading = options, Reading()
        self._assembler = Assembler(
            options.depth, options.sync_slop, time.monotonic, self._drop, synchronizer
        )
        self._latest: Picture | None = None
        self._trouble = ""  # of the transport: the only explanation where nothing arrives
        self._frames: dict[str, str] = {}
        self._arrived = NEVER
        self.upright: Callable[[Any], int] | None = None  # of pictures whose turn tf2 tells
        self.on_picture: Callable[[Picture], None] = lambda picture: None
        self._listeners: list[Listener] = []
        self._group = MutuallyExclusiveCallbackGroup()
        image_kind, image_suffix = IMAGE_TRANSPORTS[transports[0]]
        self._subscribe("image", image_kind, image_suffix, self._take_image)
        self._subscribe("camera_info", CameraInfo, "", self._assembler.take_info)
        if options.depth != "none":
            depth_kind, depth_suffix = DEPTH_TRANSPORTS[transports[1]]
            self._subscribe("depth", depth_kind, depth_suffix, self._take_depth)
        clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(ADAPT_PERIOD, self._adapt, callback_group=self._group, clock=clock)

    def close(self) -> None:
        """Unsubscribe."""
        self._node.destroy_timer(self._timer)
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()

    def latest(self, max_age: float) -> Picture:
        """Return the latest complete picture.

        Raises Refusal NO_IMAGE, NO_CAMERA_INFO, UNCALIBRATED, NO_DEPTH, SYNC_MISS.
        """
        if self._latest is None:
            missing = self._assembler.missing()
            raise Refusal(missing.code, missing.message + (f" ({self._trouble})" if self._trouble else ""))
        age = time.monotonic() - self._arrived
        if max_age and age > max_age:
            missing = self._assembler.missing(max_age)
            old = f"the latest picture is {age:.1f} s old, max_image_age is {max_age:.1f} s"
            raise Refusal(missing.code, f"{missing.message} ({old})")
        return self._latest

    def _subscribe(self, name: str, kind: type, suffix: str, take: Callable[[Any], None]) -> None:
        # A transport's topic follows the remapping of the plain one, as with image_transport.
        stream = f"{self._camera}/{name}" if self._camera else name
        topic = self._node.resolve_topic_name(stream) + suffix
        self._counters.tell(f"topic {stream}", topic)  # for `doctor`: names are remapped
        if name == "image":
            self._reading = reading_for(self._options, topic)
        listener = Listener(self._node, (kind, topic), self._timed(take), self._drop, self._group)
        self._listeners.append(listener)

    def _adapt(self) -> None:
        for listener in self._listeners:
            listener.adapt()

    def _timed(self, take: Callable[[Any], None]) -> Callable[[Any], None]:
        def timed(message: Any) -> None:
            start = time.perf_counter()
            try:
                take(message)
            finally:
                self._counters.took("camera callback", time.perf_counter() - start)

        return timed

    def _take_image(self, message: Any) -> None:
        self._counters.add("images received")
        self._publish(self._assembler.take_image(message))

    def _take_depth(self, message: Any) -> None:
        self._counters.add("depth images received")
        self._publish(self._assembler.take_depth(message))

    def _publish(self, moment: Moment | None) -> None:
        if moment is None:
            return
        self._check_frames()
        self._latest = Picture(
            moment.image, moment.camera_info, moment.depth, color_from_message, self._reading, self.upright
        )
        self._arrived = time.monotonic()
        self.on_picture(self._latest)

    def _check_frames(self) -> None:
        """Warn of differing frames, once per change: unregistered depth gives plausible images but wrong
        positions."""
        frames = self._assembler.frames()
        if frames == self._frames:
            return
        self._frames = frames
        if len(set(frames.values())) > 1:
            listed = ", ".join(f"{name} {frame!r}" for name, frame in frames.items())
            self._drop(Code.FRAME_MISMATCH, f"frames differ: {listed}; depth must be registered to the image")

    def _drop(self, code: Code, sentence: str) -> None:
        if code in (Code.QOS_INCOMPATIBLE, Code.MESSAGE_LOST):
            self._trouble = f"{code.name}: {sentence}"
        where = f"camera {self._camera!r}: " if self._camera else ""
        if self._counters.drop(code, where + sentence):
            self._node.get_logger().warning(f"{code.name}: {where}{sentence}")
