"""The latest pictures of a camera, so that a request can name the one that it means by its stamp."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.sensing.picture import Picture

Stamp = tuple[int, int]  # seconds, nanoseconds


@dataclass(frozen=True)
class Wanted:
    """Which picture a request means."""

    stamp: Stamp = (0, 0)  # (0, 0): the latest
    not_before: bool = False  # False: the one of exactly this stamp; True: the latest, if it is not older

    @property
    def exact(self) -> bool:
        """Whether one certain picture is meant."""
        return self.stamp != (0, 0) and not self.not_before


LATEST = Wanted()


class RecentPictures:
    """Messages of as many pictures as fit a budget, and the latest one with what was computed from it.

    For one thread.
    """

    def __init__(self, budget: int, now: Callable[[], float]):
        """Start empty. budget: bytes of messages; the latest picture is kept in any case. now: a clock in
        seconds."""
        self._budget, self._now = budget, now
        self._kept: OrderedDict[Stamp, Picture] = OrderedDict()
        self._bytes = 0
        self._arrived = -math.inf
        self._latest: Picture | None = None

    def add(self, picture: Picture) -> None:
        """Keep a picture; the oldest ones make room."""
        self._latest, self._arrived = picture, self._now()
        stamp = stamp_of(picture.header)
        old = self._kept.pop(stamp, None)
        self._bytes += _size(picture) - (0 if old is None else _size(old))
        self._kept[stamp] = replace(picture, decoded=None, encoded=None)  # which are large, and shared
        while self._bytes > self._budget and self._kept:
            self._bytes -= _size(self._kept.popitem(last=False)[1])

    def clear(self) -> None:
        """Forget all pictures: their stamps are of another time."""
        self._kept.clear()
        self._bytes, self._latest, self._arrived = 0, None, -math.inf

    @property
    def age(self) -> float:
        """Seconds since the latest picture came; infinite without one."""
        return self._now() - self._arrived

    def find(self, wanted: Wanted) -> Picture | None:
        """Return the picture that is wanted; None where it may still come.

        Raises Refusal BAD_REQUEST where it never will: it is not kept any more, or there was none.
        """
        latest = self._latest
        if latest is None:
            return None
        if wanted.stamp == (0, 0) or wanted.stamp == stamp_of(latest.header):
            return latest
        if stamp_of(latest.header) < wanted.stamp:
            return None
        if wanted.not_before:
            return latest
        if wanted.stamp in self._kept:
            return self._kept[wanted.stamp]
        raise Refusal(Code.BAD_REQUEST, self._not_kept(wanted.stamp))

    def _not_kept(self, stamp: Stamp) -> str:
        if not self._kept:
            kept = "none but the latest: raise picture_memory_mb"
        else:
            stamps = sorted(self._kept)
            kept = f"{len(stamps)} from {_told(stamps[0])} to {_told(stamps[-1])}"
        return f"there is no picture with the stamp {_told(stamp)}; kept: {kept}"


def stamp_of(header: Any) -> Stamp:
    """Read the stamp of a header exactly."""
    return int(header.stamp.sec), int(header.stamp.nanosec)


def _size(picture: Picture) -> int:
    return sum(len(message.data) for message in (picture.image, picture.depth) if message is not None)


def _told(stamp: Stamp) -> str:
    return f"{stamp[0]}.{stamp[1]:09d}"
