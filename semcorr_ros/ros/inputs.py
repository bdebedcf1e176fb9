"""Image, depth and calibration subscriptions, combined into the latest picture. O(1) callbacks."""

from __future__ import annotations

import math
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
from semcorr_ros.sensing.assembly import Assembler, Moment
from semcorr_ros.sensing.picture import Picture
from semcorr_ros.sensing.reading import Reading, reading_for
from semcorr_ros.serving.counters import Counters
from semcorr_ros.serving.recent_pictures import RecentPictures, Wanted

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
        self.recent = RecentPictures(0, time.monotonic)
        self._trouble = ""  # of the transport: the only explanation where nothing arrives
        self._frames: dict[str, str] = {}
        self._depth_is_published = False
        self.upright: Callable[[Any], int] | None = None  # of pictures whose turn tf2 tells
        self.on_picture: Callable[[Picture], None] = lambda picture: None
        self.on_time_jump: Callable[[float], None] = lambda seconds: None
        self._listeners: dict[str, Listener] = {}
        self._group = MutuallyExclusiveCallbackGroup()
        image_kind, image_suffix = IMAGE_TRANSPORTS[transports[0]]
        self._subscribe("image", image_kind, image_suffix, self._take_image)
        self._subscribe("camera_info", CameraInfo, "", self._take_info)
        if options.depth != "none":
            depth_kind, depth_suffix = DEPTH_TRANSPORTS[transports[1]]
            self._subscribe("depth", depth_kind, depth_suffix, self._take_depth)
        clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(ADAPT_PERIOD, self._adapt, callback_group=self._group, clock=clock)
        self._adapt()

    def close(self) -> None:
        """Unsubscribe."""
        self._node.destroy_timer(self._timer)
        for listener in self._listeners.values():
            listener.close()
        self._listeners.clear()

    @property
    def header(self) -> Any | None:
        """Header of the latest image, whether or not it could be used; None before the first."""
        return self._assembler.header

    def picture(self, wanted: Wanted, max_age: float) -> Picture:
        """Return the picture that is wanted, by default the latest complete one.

        Raises Refusal NO_IMAGE, NO_CAMERA_INFO, UNCALIBRATED, FRAME_MISMATCH, SEVERAL_PUBLISHERS, NO_DEPTH,
        SYNC_MISS, and BAD_REQUEST for a stamp that is not kept.
        """
        rivals, age = self._rivals(), self.recent.age
        if rivals is not None:
            raise rivals
        found = self.recent.find(wanted)
        old = bool(max_age) and age > max_age and not wanted.exact
        if found is not None and not old:
            return found
        if not old and age < math.inf:
            raise Refusal(Code.NO_IMAGE, "no picture as new as the `stamp` of the request has arrived")
        missing = self._assembler.missing(max_age if age < math.inf else math.inf)
        note = f"the latest picture is {age:.1f} s old, max_image_age is {max_age:.1f} s"
        note = note if age < math.inf else self._trouble
        raise Refusal(missing.code, missing.message + (f" ({note})" if note else ""))

    def forget_time(self) -> None:
        """Drop what has stamps of another time than those that come now."""
        self._assembler.clear()
        self.recent.clear()

    def _subscribe(self, name: str, kind: type, suffix: str, take: Callable[[Any], None]) -> None:
        # A transport's topic follows the remapping of the plain one, as with image_transport.
        stream = f"{self._camera}/{name}" if self._camera else name
        topic = self._node.resolve_topic_name(stream) + suffix
        self._counters.tell(f"topic {stream}", topic)  # for `doctor`: names are remapped
        if name == "image":
            self._reading = reading_for(self._options, topic)
        self._listeners[name] = Listener(
            self._node, (kind, topic), self._timed(take), self._drop, self._group
        )

    def _adapt(self) -> None:
        for listener in self._listeners.values():
            listener.adapt()
        depth = self._listeners.get("depth")
        was, self._depth_is_published = self._depth_is_published, depth is not None and depth.published
        if self._depth_is_published and not was:
            self._assembler.expect_depth()

    def _rivals(self) -> Refusal | None:
        """Explain that two cameras send on one topic: their pictures and calibrations would be mixed."""
        for listener in self._listeners.values():
            names = listener.rivals()
            if names:
                what = f"{listener.topic} has messages of {' and '.join(names)} by turns"
                return Refusal(Code.SEVERAL_PUBLISHERS, what)
        return None

    def _timed(self, take: Callable[[Any], None]) -> Callable[[Any], None]:
        def timed(message: Any) -> None:
            start = time.perf_counter()
            try:
                take(message)
            finally:
                self._counters.took("camera callback", time.perf_counter() - start)

        return timed

    def _take_info(self, message: Any) -> None:
        self._publish(self._assembler.take_info(message))

    def _take_image(self, message: Any) -> None:
        self._counters.add("images received")
        self._check_time("image", message)
        self._publish(self._assembler.take_image(message))

    def _take_depth(self, message: Any) -> None:
        self._counters.add("depth images received")
        self._check_time("depth", message)
        self._publish(self._assembler.take_depth(message))

    def _check_time(self, stream: str, message: Any) -> None:
        seconds = self._assembler.went_back(stream, message)
        if seconds and self._rivals() is None:  # of two cameras, one may be behind
            self.on_time_jump(seconds)

    def _publish(self, moment: Moment | None) -> None:
        if moment is None:
            return
        rivals = self._rivals()
        if rivals is not None:
            self._drop(rivals.code, rivals.message)
            return
        self._check_frames()
        picture = Picture(
            moment.image, moment.camera_info, moment.depth, color_from_message, self._reading, self.upright
        )
        picture.caution = moment.caution
        self.recent.add(picture)
        self.on_picture(picture)

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
