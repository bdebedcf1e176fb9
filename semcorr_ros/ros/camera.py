"""The cameras of an active node: their pictures, paired with the regions of a detector where there is one."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import RegionOfInterest

from semcorr_ros.msg import Region, Regions
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.ros.inputs import Inputs
from semcorr_ros.ros.parameters import Parameters
from semcorr_ros.ros.session import NodeState
from semcorr_ros.sensing.assembly import stamp_of
from semcorr_ros.sensing.picture import Picture
from semcorr_ros.sensing.regions import MOST
from semcorr_ros.sensing.synchronizer import Synchronizer
from semcorr_ros.serving.counters import Counters

PATIENCE = 2.0  # seconds without regions after which "auto" looks at whole images again
QOS = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)  # of regions
WAITING = 5  # pictures that wait for their regions: a detector needs its time


@dataclass(frozen=True)
class Moment:
    """What the worker gets: a picture of a camera, and what a detector found in it."""

    camera: str
    picture: Picture
    regions: Regions | None = None  # None: there is no detector


class Cameras:
    """Subscribed to while the node is active."""

    def __init__(self, node: Node, state: NodeState, counters: Counters, on_moment: Callable[[Moment], None]):
        """on_moment: gets every picture of every camera, and must be quick."""
        self._node, self._state, self._counters, self._on_moment = node, state, counters, on_moment
        self._cameras: dict[str, Camera] = {}  # by name; "" is the only one of a node without names

    def open(self) -> None:
        """Subscribe to every camera that the settings name."""
        settings = self._state.settings
        for name in settings.cameras or ("",):
            self._cameras[name] = Camera(self._node, name, settings, self._counters, self._on_moment)

    def close(self) -> None:
        """Unsubscribe."""
        cameras, self._cameras = self._cameras, {}
        for camera in cameras.values():
            camera.close()

    def latest(self, name: str = "") -> Picture:
        """The latest complete picture of a camera, or of the first one.

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
    """Subscriptions of an active node. `on_moment` must be quick."""

    def __init__(
        self,
        node: Node,
        name: str,
        settings: Parameters,
        counters: Counters,
        on_moment: Callable[[Moment], None],
    ):
        self._name, self._counters, self._on_moment = name, counters, on_moment
        self._mode = settings.regions
        self._regions_arrived = -float("inf")
        self._pairs = Synchronizer(("picture", "regions"), settings.sync_slop, WAITING)
        transports = (settings.image_transport, settings.depth_transport)
        self.inputs = Inputs(node, settings.depth, settings.sync_slop, counters, name, transports)
        self.inputs.on_picture = self._take_picture
        self._region_inputs: RegionInputs | None = None
        if self._mode != "none":
            aliases = dict(pair.split("=", 1) for pair in settings.class_aliases)
            self._region_inputs = RegionInputs(node, name, aliases, self._take_regions)

    def close(self) -> None:
        """Unsubscribe."""
        self.inputs.close()
        if self._region_inputs is not None:
            self._region_inputs.close()

    def _take_picture(self, picture: Picture) -> None:
        waits = self._mode == "required" or time.monotonic() - self._regions_arrived < PATIENCE
        if waits and self._mode != "none":
            self._pair("picture", picture)
        else:
            self._on_moment(Moment(self._name, picture))

    def _take_regions(self, regions: Regions) -> None:
        self._counters.add("regions received", len(regions.regions))
        if len(regions.regions) > MOST:
            self._counters.add("regions left out", len(regions.regions) - MOST)
            regions.regions = list(regions.regions[:MOST])
        self._regions_arrived = time.monotonic()
        self._pair("regions", regions)

    def _pair(self, stream: str, message: Any) -> None:
        before = self._pairs.dropped
        pair = self._pairs.add(stream, stamp_of(message), message)
        if self._pairs.dropped > before:
            sentence = "an image found no regions with its stamp, or regions no image, within `sync_slop`"
            self._counters.drop(Code.SYNC_MISS, sentence)
        if pair is not None:
            self._on_moment(Moment(self._name, pair["picture"], pair["regions"]))


class RegionInputs:
    """Subscribes to `regions` and, where vision_msgs is installed, `detections`, beside a camera's image."""

    def __init__(
        self, node: Node, camera: str, aliases: Mapping[str, str], on_regions: Callable[[Regions], None]
    ):
        self._node, self._on_regions, self._aliases = node, on_regions, aliases
        prefix = f"{camera}/" if camera else ""
        group = MutuallyExclusiveCallbackGroup()
        streams: list[tuple[type, str, Callable[[Any], None]]] = [(Regions, "regions", self._take_regions)]
        detections = detection_type()
        if detections is not None:
            streams.append((detections, "detections", self._take_detections))
        self._subscriptions = [
            node.create_subscription(kind, prefix + name, take, QOS, callback_group=group)
            for kind, name, take in streams
        ]

    def close(self) -> None:
        """Unsubscribe."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()

    def _take_regions(self, message: Regions) -> None:
        for region in message.regions:
            region.class_name = self._aliases.get(region.class_name, region.class_name)
        self._on_regions(message)

    def _take_detections(self, message: Any) -> None:
        self._take_regions(regions_from_detections(message))


def detection_type() -> type | None:
    """vision_msgs/Detection2DArray, where it is installed."""
    try:
        from vision_msgs.msg import Detection2DArray
    except ImportError:
        return None
    return Detection2DArray


def regions_from_detections(message: Any) -> Regions:
    """Boxes of a vision_msgs/Detection2DArray, each under its best hypothesis. Turned boxes are widened."""
    regions = Regions(header=message.header)
    for detection in message.detections:
        best = max(detection.results, key=lambda result: result.hypothesis.score, default=None)
        if best is None:
            continue
        center = detection.bbox.center
        at = getattr(center, "position", center)  # vision_msgs 4, and 3 before it
        c, s = abs(math.cos(center.theta)), abs(math.sin(center.theta))
        w, h = detection.bbox.size_x, detection.bbox.size_y
        width, height = w * c + h * s, w * s + h * c
        numbers = (at.x - width / 2, at.y - height / 2, at.x + width / 2, at.y + height / 2)
        if not all(map(math.isfinite, numbers)):
            continue
        left, top, right, bottom = (max(0, round(value)) for value in numbers)
        roi = RegionOfInterest(x_offset=left, y_offset=top, width=right - left, height=bottom - top)
        region = Region(class_name=best.hypothesis.class_id, instance_id=detection.id, roi=roi)
        region.score = float(best.hypothesis.score)
        regions.regions.append(region)
    return regions
