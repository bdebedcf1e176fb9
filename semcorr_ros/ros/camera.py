"""One camera of the node: its pictures, paired with the regions of a detector where there is one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from semcorr_ros.msg import Regions
from semcorr_ros.ros.inputs import Inputs
from semcorr_ros.ros.pairing import synchronizer
from semcorr_ros.ros.perception import Picture
from semcorr_ros.ros.refusal import Code
from semcorr_ros.ros.regions import MOST, RegionInputs
from semcorr_ros.ros.streaming import Moment
from semcorr_ros.sensing.assembly import stamp_of

if TYPE_CHECKING:
    from semcorr_ros.ros.perceive import PerceiveNode

PATIENCE = 2.0  # seconds without regions after which "auto" looks at whole images again
WAITING = 5  # pictures that wait for their regions: a detector needs its time


class Camera:
    """Subscriptions of an active node. `on_moment` must be quick."""

    def __init__(self, node: PerceiveNode, name: str, on_moment: Callable[[Moment], None]):
        self._node, self._name, self._on_moment = node, name, on_moment
        settings = node.settings
        self._mode = settings.regions
        self._regions_arrived = -float("inf")
        self._pairs = synchronizer(("picture", "regions"), settings.sync_slop, WAITING)
        transports = (settings.image_transport, settings.depth_transport)
        self.inputs = Inputs(node, settings.depth, settings.sync_slop, node.counters, name, transports)
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
        self._node.counters.add("regions received", len(regions.regions))
        if len(regions.regions) > MOST:
            self._node.counters.add("regions left out", len(regions.regions) - MOST)
            regions.regions = list(regions.regions[:MOST])
        self._regions_arrived = time.monotonic()
        self._pair("regions", regions)

    def _pair(self, stream: str, message: Any) -> None:
        before = self._pairs.dropped
        pair = self._pairs.add(stream, stamp_of(message), message)
        if self._pairs.dropped > before:
            sentence = "an image found no regions with its stamp, or regions no image, within `sync_slop`"
            self._node.counters.drop(Code.SYNC_MISS, sentence)
        if pair is not None:
            self._on_moment(Moment(self._name, pair["picture"], pair["regions"]))
