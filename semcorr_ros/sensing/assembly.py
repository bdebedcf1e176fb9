"""Image, calibration and depth of one moment, assembled from streams; every dropped message has a reason.

The node feeds it from subscriptions and `replay` from a bag, so both see the same pictures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from semcorr_ros.provider_options import DEPTH_CHOICES
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.sensing.calibration import intrinsics
from semcorr_ros.sensing.synchronizer import Synchronizer

DEPTH_PATIENCE = 1.0  # seconds without depth after which "auto" goes on without it
NEVER = -float("inf")


@dataclass(frozen=True)
class Moment:
    """Messages of the same time."""

    image: Any
    camera_info: Any
    depth: Any | None


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
        self._arrived = dict.fromkeys(("image", "depth"), NEVER)
        self._frames: dict[str, str] = {}
        self.problem: Refusal | None = None  # why the latest image was dropped

    def expect_depth(self) -> None:
        """Wait for the first depth image, too: depth is known to come."""
        self._arrived["depth"] = self._now()

    def take_info(self, message: Any) -> None:
        """Store a CameraInfo; it holds until the next one."""
        self._info = message
        self._frames["camera_info"] = message.header.frame_id

    def take_image(self, message: Any) -> Moment | None:
        """Add an image; return the moment it completes, if any."""
        self._note("image", message)
        return self._match("image", message) if self._waits_for_depth() else self._complete(message, None)

    def take_depth(self, message: Any) -> Moment | None:
        """Add a depth image; return the moment it completes, if any."""
        self._note("depth", message)
        return self._match("depth", message)

    def missing(self, within: float = math.inf) -> Refusal:
        """Explain why no picture has come `within` the last seconds, for a stream that gave none in that
        time."""
        age = {stream: self._now() - arrived for stream, arrived in self._arrived.items()}
        if age["image"] >= within:
            return _silent(Code.NO_IMAGE, "image", age["image"])
        if self._info is None or self.problem is not None:
            return self.problem or _no_info()
        if age["depth"] >= within:
            return _silent(Code.NO_DEPTH, "depth", age["depth"])
        return Refusal(
            Code.SYNC_MISS,
            f"images and depth arrive, but their stamps differ by more than sync_slop ({self._slop:g} s)",
        )

    def frames(self) -> dict[str, str]:
        """Return frame_id by stream, of what has arrived. All should be equal: depth registered to the
        image."""
        return dict(self._frames)

    def _note(self, stream: str, message: Any) -> None:
        self._arrived[stream] = self._now()
        self._frames[stream] = message.header.frame_id

    def _waits_for_depth(self) -> bool:
        if self._depth_mode == "auto":
            return self._now() - self._arrived["depth"] < DEPTH_PATIENCE
        return self._depth_mode == "required"

    def _match(self, stream: str, message: Any) -> Moment | None:
        before = self._synchronizer.dropped
        matched = self._synchronizer.add(stream, stamp_of(message), message)
        for _ in range(self._synchronizer.dropped - before):
            sentence = f"an image or depth image found no partner within sync_slop ({self._slop:g} s)"
            self._drop(Code.SYNC_MISS, sentence)
        return None if matched is None else self._complete(matched["image"], matched["depth"])

    def _complete(self, image: Any, depth: Any) -> Moment | None:
        self.problem = self._calibration_problem()
        if self.problem is not None:
            self._drop(self.problem.code, self.problem.message)
            return None
        return Moment(image, self._info, depth)

    def _calibration_problem(self) -> Refusal | None:
        if self._info is None:
            return _no_info()
        if intrinsics(self._info)[0, 0] == 0:
            return Refusal(
                Code.UNCALIBRATED, "camera_info is of an uncalibrated camera (k[0] = 0): calibrate it"
            )
        return None


def stamp_of(message: Any) -> float:
    """Convert the stamp of a message's header to seconds."""
    stamp = message.header.stamp
    return float(stamp.sec) + stamp.nanosec * 1e-9


def _silent(code: Code, stream: str, age: float) -> Refusal:
    what = "depth is required, but no depth image" if stream == "depth" else "no image"
    for_long = "" if age == math.inf else f" for {age:.1f} s"
    return Refusal(code, f"{what} has arrived on the topic `{stream}`{for_long}")


def _no_info() -> Refusal:
    return Refusal(Code.NO_CAMERA_INFO, "no message has arrived on the topic `camera_info`")
