"""Image, calibration and depth of one moment, assembled from streams; every dropped message has a reason.

The node feeds it from subscriptions and `replay` from a bag, so both see the same pictures.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from semcorr_ros.provider_options import DEPTH_CHOICES
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.sensing.calibration import intrinsics
from semcorr_ros.sensing.synchronizer import Synchronizer

DEPTH_PATIENCE = 1.0  # seconds without depth after which "auto" goes on without it
NEVER = -float("inf")
STAMPS = 40  # of each stream that are remembered, to tell how far away a partner is
BACK = 1.0  # seconds by which a stamp may lie before its stream's last one; beyond that time was reset


@dataclass(frozen=True)
class Moment:
    """Messages of the same time."""

    image: Any
    camera_info: Any
    depth: Any | None
    caution: str = ""  # what makes answers from it less than they were, a sentence


class Assembler:
    """Assembles moments from messages, taken in the order of arrival. O(1), decodes nothing."""

    def __init__(
        self,
        depth: str,
        slop: float,
        now: Callable[[], float],
        drop: Callable[[Code, str], Any],
        synchronizer: Callable[[Sequence[str], float], Any] = Synchronizer,
    ):
        """Start without messages. depth: one of DEPTH_CHOICES; slop: seconds by which stamps may differ; now:
        a clock in seconds; drop: called for every dropped message, with the reason; synchronizer: makes the
        one that pairs messages."""
        if depth not in DEPTH_CHOICES:
            raise ValueError(f"depth must be one of {', '.join(DEPTH_CHOICES)}, got {depth!r}")
        self._depth_mode, self._now, self._drop = depth, now, drop
        self._synchronizer = synchronizer(("image", "depth"), slop)
        self._slop = slop
        self._info: Any = None
        self._waiting: tuple[Any, Any] | None = None  # image and depth that came before any calibration
        self._arrived = dict.fromkeys(("image", "depth"), NEVER)
        self._expected = NEVER  # when depth was last known to come
        self._alone = 0  # images since the last one that found its depth
        self._stamps: dict[str, deque[float]] = {name: deque(maxlen=STAMPS) for name in self._arrived}
        self._frames: dict[str, str] = {}
        self.header: Any = None  # of the latest image

    def expect_depth(self) -> None:
        """Wait for the first depth image, too: depth is known to come."""
        self._expected = self._now()

    def take_info(self, message: Any) -> Moment | None:
        """Store a CameraInfo, which holds until the next one; return the moment that waited for the first."""
        self._info = message
        self._frames["camera_info"] = message.header.frame_id
        waiting, self._waiting = self._waiting, None
        return None if waiting is None else self._complete(*waiting)

    def take_image(self, message: Any) -> Moment | None:
        """Add an image; return the moment it completes, if any."""
        self._note("image", message)
        self.header = message.header
        self._alone += 1
        if self._waits_for_depth():
            return self._match("image", message)
        lost = self._lost_depth()
        if lost:
            self._drop(Code.NO_DEPTH, lost)
        return self._complete(message, None, lost)

    def take_depth(self, message: Any) -> Moment | None:
        """Add a depth image; return the moment it completes, if any."""
        self._note("depth", message)
        return self._match("depth", message)

    def went_back(self, stream: str, message: Any) -> float:
        """Return the seconds by which time went back before a message that is about to be taken; 0: it did
        not. Nothing that was queued fits what comes now: `clear` it."""
        stamps = self._stamps[stream]
        return max(0.0, stamps[-1] - stamp_of(message)) if stamps and _is_back(message, stamps[-1]) else 0.0

    def clear(self) -> None:
        """Drop what waits for a partner, and the stamps seen so far."""
        self._synchronizer.clear()
        self._waiting = None
        for stamps in self._stamps.values():
            stamps.clear()

    def missing(self, within: float = math.inf) -> Refusal:
        """Explain why no picture has come `within` the last seconds, for a stream that gave none in that
        time. Computed from what has arrived up to now."""
        age = {stream: self._now() - arrived for stream, arrived in self._arrived.items()}
        if age["image"] >= within:
            return _silent(Code.NO_IMAGE, "image", age["image"])
        problem = self._problem(self._frames.get("image", ""))
        if problem is not None:
            return problem
        if not self._waits_for_depth():
            return Refusal(Code.NO_IMAGE, "no image has arrived since the camera_info did")
        if age["depth"] >= within:
            return _silent(Code.NO_DEPTH, "depth", age["depth"])
        return Refusal(Code.SYNC_MISS, self._no_partner("image", self._stamps["image"]))

    def frames(self) -> dict[str, str]:
        """Return frame_id by stream, of what has arrived. All should be equal: depth registered to the
        image."""
        return dict(self._frames)

    def _note(self, stream: str, message: Any) -> None:
        self._arrived[stream] = self._now()
        self._frames[stream] = message.header.frame_id
        self._stamps[stream].append(stamp_of(message))

    def _waits_for_depth(self) -> bool:
        if self._depth_mode == "auto":
            # A camera that takes one picture now and then: its depth may come a moment after the image.
            if self._alone <= 1 and self._arrived["depth"] > NEVER:
                return True
            return self._now() - max(self._arrived["depth"], self._expected) < DEPTH_PATIENCE
        return self._depth_mode == "required"

    def _lost_depth(self) -> str:
        """Say that depth is known to come and does not; empty without such a stream."""
        if self._depth_mode == "none" or max(self._arrived["depth"], self._expected) == NEVER:
            return ""
        age = self._now() - self._arrived["depth"]
        came = "though it is published" if age == math.inf else f"for {age:.1f} s"
        return (
            f"no depth image has arrived on the topic `depth` {came}: there are no metres without "
            "(depth: required refuses such pictures)"
        )

    def _match(self, stream: str, message: Any) -> Moment | None:
        matched = self._synchronizer.add(stream, stamp_of(message), message)
        for name, stamp in self._synchronizer.lost:
            self._drop(Code.SYNC_MISS, self._no_partner(name, (stamp,)))
        if matched is None:
            return None
        self._alone = 0
        return self._complete(matched["image"], matched["depth"])

    def _no_partner(self, stream: str, stamps: Sequence[float]) -> str:
        """Say how far away the nearest message of the other stream is: what is lost has none, what is late
        is always as far away."""
        other = "depth" if stream == "image" else "image"
        gaps = [abs(one - stamp) for one in self._stamps[other] for stamp in list(stamps)[-1:]]
        nearest = f"{min(gaps):.3f} s away" if gaps else "none"
        what = "an image" if stream == "image" else "a depth image"
        return f"{what} found no partner within sync_slop ({self._slop:g} s): nearest {other} {nearest}"

    def _complete(self, image: Any, depth: Any, caution: str = "") -> Moment | None:
        problem = self._problem(image.header.frame_id)
        if problem is not None:
            if self._info is not None or self._waiting is not None:
                self._drop(problem.code, problem.message)
            self._waiting = None if self._info is not None else (image, depth)
            return None
        return Moment(image, self._info, depth, caution or _unregistered(image, depth))

    def _problem(self, frame: str) -> Refusal | None:
        """Explain why images of a frame have no usable calibration, as of now."""
        if self._info is None:
            return Refusal(Code.NO_CAMERA_INFO, "no message has arrived on the topic `camera_info`")
        if intrinsics(self._info)[0, 0] == 0:
            return Refusal(
                Code.UNCALIBRATED, "camera_info is of an uncalibrated camera (k[0] = 0): calibrate it"
            )
        its = self._frames.get("camera_info", "")
        if its and frame and its.lstrip("/") != frame.lstrip("/"):
            return Refusal(
                Code.FRAME_MISMATCH,
                f"camera_info is of frame {its!r} but the image of frame {frame!r}: remap `camera_info` to "
                "the topic beside the image",
            )
        return None


def stamp_of(message: Any) -> float:
    """Convert the stamp of a message's header to seconds."""
    stamp = message.header.stamp
    return float(stamp.sec) + stamp.nanosec * 1e-9


def _is_back(message: Any, last: float) -> bool:
    return stamp_of(message) < last - BACK


def _unregistered(image: Any, depth: Any) -> str:
    """Warn of depth in another frame than the image's; empty where they agree or one has no name."""
    if depth is None:
        return ""
    one, other = image.header.frame_id.lstrip("/"), depth.header.frame_id.lstrip("/")
    if one == other or not one or not other:
        return ""
    return (
        f"depth is of frame {other!r} and the image of {one!r}: positions are wrong unless it is registered"
    )


def _silent(code: Code, stream: str, age: float) -> Refusal:
    what = "depth is required, but no depth image" if stream == "depth" else "no image"
    for_long = "" if age == math.inf else f" for {age:.1f} s"
    return Refusal(code, f"{what} has arrived on the topic `{stream}`{for_long}")
