"""The cameras of an active node: their pictures, paired with the regions of a detector where there is one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.task import Future
from std_msgs.msg import Header

from semcorr_ros.memory import MEGABYTE
from semcorr_ros.msg import Regions
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.ros.inputs import Inputs
from semcorr_ros.ros.pairing import synchronizer
from semcorr_ros.ros.parameters import Parameters
from semcorr_ros.ros.session import NodeState
from semcorr_ros.ros.transforms import Gravity
from semcorr_ros.sensing.picture import Picture
from semcorr_ros.sensing.regions import (
    MOST,
    Marks,
    RegionPairs,
    aliases_from,
    marks_from_detections,
    marks_from_regions,
)
from semcorr_ros.serving.counters import Counters
from semcorr_ros.serving.recent_pictures import RecentPictures, Wanted

# Why there is no picture yet, where one may come any moment.
MAY_COME = (Code.NO_IMAGE, Code.NO_CAMERA_INFO, Code.NO_DEPTH, Code.SYNC_MISS)
PATIENCE = 2.0  # seconds to wait for one where a request names no timeout
REGIONS_QOS = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)


@dataclass(frozen=True)
class Moment:
    """A picture of a camera for the worker, and what a detector found in it."""

    camera: str
    picture: Picture
    marks: Marks | None = None  # None: there is no detector


class Cameras:
    """The cameras of a node, subscribed to while it is active."""

    def __init__(
        self,
        node: Node,
        state: NodeState,
        counters: Counters,
        on_moment: Callable[[Moment], None],
        on_time_jump: Callable[[float], None],
    ):
        """Store the callbacks, which must be quick. on_moment: called with every picture of every camera;
        on_time_jump: with the seconds by which stamps went back."""
        self._node, self._state, self._counters = node, state, counters
        self._on_moment, self._on_time_jump = on_moment, on_time_jump
        self._gravity: Gravity | None = None
        self._cameras: dict[str, Camera] = {}  # by name; "" is the only one of a node without names
        self._waiting: list[tuple[float, Future]] = []  # until when, for the next picture

    def open(self) -> None:
        """Subscribe to every camera in the settings."""
        settings = self._state.settings
        self._gravity = Gravity(self._node, settings.up_frame) if settings.rotate == "auto" else None
        for name in settings.cameras or ("",):
            camera = Camera(self._node, name, settings, self._counters, self._on_moment)
            camera.inputs.upright = None if self._gravity is None else self._gravity.turn
            camera.inputs.on_time_jump = self._on_time_jump
            camera.on_picture = self.wake
            self._cameras[name] = camera

    def close(self) -> None:
        """Unsubscribe."""
        cameras, self._cameras = self._cameras, {}
        for camera in cameras.values():
            camera.close()
        gravity, self._gravity = self._gravity, None
        if gravity is not None:
            gravity.close()
        self.wake()

    async def picture(
        self, name: str, wanted: Wanted, timeout: float, check: Callable[[], object] = lambda: None
    ) -> Picture:
        """Return the picture of a camera that is wanted, by default the latest complete one of the first.

        Waits for one that may still come: `timeout` seconds, PATIENCE where it is 0. check: raises what ends
        the waiting. Raises Refusal INACTIVE, BAD_REQUEST, NO_IMAGE, NO_CAMERA_INFO and others.
        """
        seconds = timeout or min(PATIENCE, self._state.settings.request_timeout)
        end = time.monotonic() + seconds
        while True:
            check()
            try:
                return self._named(name).inputs.picture(wanted, self._state.settings.max_image_age)
            except Refusal as refusal:
                if refusal.code not in MAY_COME or time.monotonic() >= end:
                    raise
            future: Future = Future(executor=self._node.executor)
            self._waiting.append((end, future))
            await future

    def header(self, name: str) -> Header:
        """Return the header of a camera's latest image; without one, one of the present and no frame."""
        camera = self._cameras.get(name or next(iter(self._cameras), ""))
        header = None if camera is None else camera.inputs.header
        return Header(stamp=self._node.get_clock().now().to_msg()) if header is None else header

    def expire(self) -> None:
        """Wake those whose time is over. Called regularly."""
        now = time.monotonic()
        late = [future for end, future in self._waiting if now >= end]
        self._waiting = [(end, future) for end, future in self._waiting if now < end]
        for future in late:
            future.set_result(None)

    def forget_time(self) -> None:
        """Drop pictures and messages with stamps of another time than those that come now."""
        for camera in self._cameras.values():
            camera.inputs.forget_time()

    def _named(self, name: str) -> Camera:
        self._state.check_active()
        names = self._state.settings.cameras or ("",)
        if name and name not in names:
            listed = ", ".join(self._state.settings.cameras) or "none has a name"
            raise Refusal(Code.BAD_REQUEST, f"no camera {name!r}; cameras: {listed}")
        return self._cameras[name or names[0]]

    def wake(self) -> None:
        """Let all who wait for a picture look again."""
        waiting, self._waiting = self._waiting, []
        for _, future in waiting:
            future.set_result(None)


class Camera:
    """Subscriptions to one camera. `on_moment` must be quick."""

    def __init__(
        self,
        node: Node,
        name: str,
        settings: Parameters,
        counters: Counters,
        on_moment: Callable[[Moment], None],
    ):
        self._counters = counters
        self._pairs = RegionPairs(
            settings.regions,
            settings.sync_slop,
            time.monotonic,
            counters.drop,
            lambda picture, marks: on_moment(Moment(name, picture, marks)),
            synchronizer,
        )
        transports = (settings.image_transport, settings.depth_transport)
        self.inputs = Inputs(node, settings, counters, name, transports)
        self.inputs.recent = RecentPictures(int(settings.picture_memory_mb * MEGABYTE), time.monotonic)
        self.inputs.on_picture = self._take_picture
        self.on_picture: Callable[[], None] = lambda: None
        self._regions: RegionInputs | None = None
        if settings.regions != "none":
            aliases = aliases_from(settings.class_aliases)
            self._regions = RegionInputs(node, name, aliases, self._take_marks)

    def close(self) -> None:
        """Unsubscribe."""
        self.inputs.close()
        if self._regions is not None:
            self._regions.close()

    def _take_picture(self, picture: Picture) -> None:
        self.on_picture()
        self._pairs.take_picture(picture)

    def _take_marks(self, marks: Marks) -> None:
        self._counters.add("regions received", len(marks.marks))
        if len(marks.marks) > MOST:
            self._counters.add("regions left out", len(marks.marks) - MOST)
        self._pairs.take_marks(marks)


class RegionInputs:
    """Subscribes to `regions` and, where vision_msgs is installed, `detections`, beside a camera's image."""

    def __init__(self, node: Node, camera: str, aliases: Mapping[str, str], take: Callable[[Marks], None]):
        self._node = node
        prefix = f"{camera}/" if camera else ""
        group = MutuallyExclusiveCallbackGroup()

        def regions(message: Any) -> None:
            take(marks_from_regions(message, aliases))

        def detections(message: Any) -> None:
            take(marks_from_detections(message, aliases))

        streams: list[tuple[type, str, Callable[[Any], None]]] = [(Regions, "regions", regions)]
        kind = detection_type()
        if kind is not None:
            streams.append((kind, "detections", detections))
        self._subscriptions = [
            node.create_subscription(kind, prefix + name, take, REGIONS_QOS, callback_group=group)
            for kind, name, take in streams
        ]

    def close(self) -> None:
        """Unsubscribe."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()


def detection_type() -> type | None:
    """Import vision_msgs/Detection2DArray, where it is installed."""
    try:
        from vision_msgs.msg import Detection2DArray
    except ImportError:
        return None
    return Detection2DArray
