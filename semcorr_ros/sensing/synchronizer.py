"""Approximate time synchronization of several streams, without ROS and without a callback in a lock.

Pairs like message_filters.ApproximateTimeSynchronizer: a new message is matched greedily with the
nearest messages of the other streams if all stamps lie within `slop`; matched messages leave the queues.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any


class Synchronizer:
    """Queues per stream; stamps in seconds."""

    def __init__(self, streams: Sequence[str], slop: float, depth: int = 10):
        if slop <= 0 or depth < 1:
            raise ValueError(f"slop must be positive and depth at least 1, got {slop} and {depth}")
        self._queues: dict[str, dict[float, Any]] = {stream: {} for stream in streams}
        self._slop = slop
        self._depth = depth
        self.dropped = 0  # messages that left a queue unmatched
        self.lost: list[tuple[str, float]] = []  # stream and stamp of those that the last `add` dropped

    def add(self, stream: str, stamp: float, message: Any) -> dict[str, Any] | None:
        """Add one message; return the matching set it completes, or None.

        A stamp older than the whole queue by more than a second means that time was reset (a bag
        started again): what was queued can never match and is dropped.
        """
        self.lost = []
        queue = self._queues[stream]
        if queue and stamp < min(queue) - 1.0:
            self.clear()
        queue[stamp] = message
        while len(queue) > self._depth:
            self._lose(stream, min(queue))
        return self._match(stream, stamp)

    def clear(self) -> None:
        """Drop everything queued."""
        for queue in self._queues.values():
            self.dropped += len(queue)
            queue.clear()

    def _match(self, stream: str, stamp: float) -> dict[str, Any] | None:
        near = []
        for name, queue in self._queues.items():
            stamps = [stamp] if name == stream else [s for s in queue if abs(s - stamp) < self._slop]
            near.append(sorted(stamps, key=lambda s: abs(s - stamp)))
        for chosen in itertools.product(*near):
            if max(chosen) - min(chosen) < self._slop:
                return self._take(chosen)
        return None

    def _take(self, stamps: Sequence[float]) -> dict[str, Any]:
        matched = {}
        for (name, queue), stamp in zip(self._queues.items(), stamps, strict=True):
            matched[name] = queue.pop(stamp)
            # Nothing older is needed any more: the latest wins.
            for old in [s for s in queue if s < stamp]:
                self._lose(name, old)
        return matched

    def _lose(self, stream: str, stamp: float) -> None:
        del self._queues[stream][stamp]
        self.lost.append((stream, stamp))
        self.dropped += 1
