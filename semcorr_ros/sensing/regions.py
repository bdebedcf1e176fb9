"""Regions of interest from detectors and segmenters, and the pictures that they belong to."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from semcorr_ros.artifacts import Frame
from semcorr_ros.geometry.taken import size_taken
from semcorr_ros.observations import Scene
from semcorr_ros.places import Place, box_in, mask_in
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.sensing.assembly import stamp_of
from semcorr_ros.sensing.frame import box_from_message
from semcorr_ros.sensing.images import labels_from_message
from semcorr_ros.sensing.picture import Picture
from semcorr_ros.sensing.synchronizer import Synchronizer
from semcorr_ros.stream import Region, Shot

MOST = 100  # regions of one image; the rest is left out
PATIENCE = 2.0  # seconds without regions after which "auto" looks at whole images again
WAITING = 5  # pictures that wait for their regions: detectors are slower than cameras


class Roi(NamedTuple):
    """Fields of a sensor_msgs/RegionOfInterest."""

    x_offset: int
    y_offset: int
    width: int
    height: int


@dataclass(frozen=True)
class Mark:
    """One detection."""

    class_name: str  # empty: of any class
    tracker_id: str  # empty: none
    roi: Roi
    label: int = 0  # its number in the label image; 0: none


@dataclass(frozen=True)
class Marks:
    """The detections in one image."""

    header: Any
    marks: tuple[Mark, ...]
    labels: Any | None = None  # an Image of numbers


def aliases_from(pairs: Sequence[str]) -> dict[str, str]:
    """Read THEIRS=OURS pairs. Raises ValueError for a malformed one."""
    for pair in pairs:
        if not all(pair.partition("=")):
            raise ValueError(f"class_aliases are like cup=mug (the detector's name first), got {pair!r}")
    return dict(pair.split("=", 1) for pair in pairs)


def marks_from_regions(message: Any, aliases: Mapping[str, str]) -> Marks:
    """Read a semcorr_ros/Regions message. aliases: our names of the detector's classes."""
    marks = tuple(
        Mark(
            aliases.get(one.class_name, one.class_name),
            one.instance_id,
            Roi(*(int(getattr(one.roi, name)) for name in Roi._fields)),
            int(one.label),
        )
        for one in message.regions
    )
    return Marks(message.header, marks, message.labels if message.labels.width else None)


def marks_from_detections(message: Any, aliases: Mapping[str, str]) -> Marks:
    """Read boxes of a vision_msgs/Detection2DArray by their best hypotheses. Turned boxes are widened."""
    found = []
    for detection in message.detections:
        best = max(detection.results, key=lambda result: result.hypothesis.score, default=None)
        roi = _roi_around(detection.bbox)
        if best is not None and roi is not None:
            name = best.hypothesis.class_id
            found.append(Mark(aliases.get(name, name), str(getattr(detection, "id", "")), roi))
    return Marks(message.header, tuple(found))


def regions_in(marks: Marks, frame: Frame) -> list[Region]:
    """Convert marks to regions of their picture as it is looked at: boxes become those around their outline
    there, clipped at the border; empty ones are dropped.

    Raises Refusal BAD_ENCODING, SIZE_MISMATCH for the label image.
    """
    height, width = size_taken(frame)
    labels = None
    if marks.labels is not None:
        labels = labels_from_message(marks.labels)
        if tuple(labels.shape) != (height, width):
            h, w = labels.shape
            raise Refusal(Code.SIZE_MISMATCH, f"labels are {w}x{h} but the image is {width}x{height}")
    found = []
    for mark in marks.marks[:MOST]:
        if labels is not None and mark.label:
            mask = mask_in(labels == mark.label, frame)
            if mask.any():
                found.append(Region(mark.class_name, mark.tracker_id, Place(mask=mask)))
            continue
        x, y = min(mark.roi.x_offset, width), min(mark.roi.y_offset, height)
        roi = Roi(x, y, min(mark.roi.width, width - x), min(mark.roi.height, height - y))
        try:
            box = box_from_message(roi, (height, width))
        except Refusal:  # hardly larger than a point, or outside of the image
            continue
        box = None if box is None else box_in(box, frame)
        if box is not None:
            found.append(Region(mark.class_name, mark.tracker_id, Place(box=box)))
    return found


def shot_of(picture: Picture, marks: Marks | None, encode: Callable[[Frame], Scene], most: int) -> Shot:
    """Decode and encode a picture for a `Stream`. Raises as `Picture.frame` and `regions_in`.

    marks: None without a detector; then there are up to `most` objects of each class.
    """
    regions = None if marks is None else regions_in(marks, picture.frame())
    return Shot(picture.scene(encode), stamp_of(picture), regions, most)


class RegionPairs:
    """Pairs pictures with the marks of a detector, where there is one. O(1), decodes nothing."""

    def __init__(
        self,
        mode: str,
        slop: float,
        now: Callable[[], float],
        drop: Callable[[Code, str], object],
        on_pair: Callable[[Picture, Marks | None], object],
        synchronizer: Callable[[Sequence[str], float, int], Any] = Synchronizer,
    ) -> None:
        """Start without messages. mode: "auto", "required", "none". slop: seconds by which stamps may differ.
        now: a clock in seconds. drop: called for what is dropped. on_pair: called with each picture and its
        marks, None without a detector. synchronizer: makes the one that pairs messages."""
        self._mode, self._now, self._drop, self._on_pair = mode, now, drop, on_pair
        self._arrived = -math.inf
        self._pairs = synchronizer(("picture", "regions"), slop, WAITING)

    def expect_marks(self) -> None:
        """Wait for the marks of the first picture, too: they are known to come."""
        self._arrived = self._now()

    def take_picture(self, picture: Picture) -> None:
        """Queue a picture for its marks, or pass it on without."""
        waits = self._mode == "required" or self._now() - self._arrived < PATIENCE
        if waits and self._mode != "none":
            self._pair("picture", picture)
        else:
            self._on_pair(picture, None)

    def take_marks(self, marks: Marks) -> None:
        """Add marks and pass on the picture that they belong to, if it has arrived."""
        if self._mode != "none":
            self._arrived = self._now()
            self._pair("regions", marks)

    def _pair(self, stream: str, item: Any) -> None:
        before = self._pairs.dropped
        pair = self._pairs.add(stream, stamp_of(item), item)
        if self._pairs.dropped > before:
            sentence = "an image found no regions with its stamp, or regions no image, within `sync_slop`"
            self._drop(Code.SYNC_MISS, sentence)
        if pair is not None:
            self._on_pair(pair["picture"], pair["regions"])


def _roi_around(box: Any) -> Roi | None:
    """Compute the upright box around a vision_msgs/BoundingBox2D; None for one that is not finite."""
    center = box.center
    at = getattr(center, "position", center)  # vision_msgs 4, and 3 before it
    c, s = abs(math.cos(center.theta)), abs(math.sin(center.theta))
    width, height = box.size_x * c + box.size_y * s, box.size_x * s + box.size_y * c
    numbers = (at.x - width / 2, at.y - height / 2, at.x + width / 2, at.y + height / 2)
    if not all(map(math.isfinite, numbers)):
        return None
    left, top, right, bottom = (max(0, round(value)) for value in numbers)
    return Roi(left, top, right - left, bottom - top)
