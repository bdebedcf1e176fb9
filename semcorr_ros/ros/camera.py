"""The cameras of an active node: their pictures, paired with the regions of a detector where there is one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy

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

REGIONS_QOS = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)


@dataclass(frozen=True)
class Moment:
    """A picture of a camera for the worker, and what a detector found in it."""

    camera: str
    picture: Picture
    marks: Marks | None = None  # None: there is no detector


class Cameras:
    """The cameras of a node, subscribed to while it is active."""

    def __init__(self, node: Node, state: NodeState, counters: Counters, on_moment: Callable[[Moment], None]):
        """Store the callback. on_moment: called with every picture of every camera; must be quick."""
        self._node, self._state, self._counters, self._on_moment = node, state, counters, on_moment
        self._gravity: Gravity | None = None
        self._cameras: dict[str, Camera] = {}  # by name; "" is the only one of a node without names

    def open(self) -> None:
        """Subscribe to every camera in the settings."""
        settings = self._state.settings
        self._gravity = Gravity(self._node, settings.up_frame) if settings.rotate == "auto" else None
        for name in settings.cameras or ("",):
            camera = Camera(self._node, name, settings, self._counters, self._on_moment)
            camera.inputs.upright = None if self._gravity is None else self._gravity.turn
            self._cameras[name] = camera

    def close(self) -> None:
        """Unsubscribe."""
        cameras, self._cameras = self._cameras, {}
        for camera in cameras.values():
            camera.close()
        gravity, self._gravity = self._gravity, None
        if gravity is not None:
            gravity.close()

    def latest(self, name: str = "") -> Picture:
        """Return the latest complete picture of a camera, by default the first one.

        Raises Refusal INACTIVE, BAD_REQUEST, NO_IMAGE, NO_CAMERA_INFO and others.
        """
        self._state.check_active()
        settings = self._state.settings
        names = settings.cameras or ("",)
        if name and name not in names:
            listed = ", ".join(settings.cameras) or "none has a name"
            raise Refusal(Code.BAD_REQUEST, f"no camera {name!r}; cameras: {listed}")
        return self._cameras[name or names[0]].inputs.latest(settings.max_image_age)


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
        self.inputs.on_picture = self._pairs.take_picture
        self._regions: RegionInputs | None = None
        if settings.regions != "none":
            aliases = aliases_from(settings.class_aliases)
            self._regions = RegionInputs(node, name, aliases, self._take_marks)

    def close(self) -> None:
        """Unsubscribe."""
        self.inputs.close()
        if self._regions is not None:
            self._regions.close()

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
