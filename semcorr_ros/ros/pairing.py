"""Pair streams by message_filters where the ROS installation has it, else by `sensing`: the same pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from semcorr_ros.sensing.synchronizer import Synchronizer

try:
    import message_filters
except ImportError:
    message_filters = None


def synchronizer(streams: Sequence[str], slop: float, depth: int = 10) -> Synchronizer | FilterSynchronizer:
    """Make a synchronizer of messages of `streams` whose stamps differ by less than `slop` seconds."""
    return (Synchronizer if message_filters is None else FilterSynchronizer)(streams, slop, depth)


class FilterSynchronizer:
    """ApproximateTimeSynchronizer with the interface of `sensing.synchronizer.Synchronizer`.

    Adds what that lacks: it counts dropped messages, drops those older than a pair, and notices a bag that
    starts again.
    """

    def __init__(self, streams: Sequence[str], slop: float, depth: int = 10):
        self._inputs = {stream: message_filters.SimpleFilter() for stream in streams}
        self._filter = message_filters.ApproximateTimeSynchronizer([*self._inputs.values()], depth, slop)
        self._filter.registerCallback(self._take)
        self._matched: dict[str, Any] | None = None
        self.dropped = 0  # messages that left a queue unmatched
        self.lost: list[tuple[str, float]] = []  # stream and stamp of those that the last `add` dropped

    def add(self, stream: str, stamp: float, message: Any) -> dict[str, Any] | None:
        """Add one message; return the matching set it completes, or None."""
        queue = self._filter.queues[list(self._inputs).index(stream)]
        if queue and stamp < min(queue) * 1e-9 - 1.0:
            self.clear()
        before, self._matched = [*self._queued(), (stream, _nanoseconds(message))], None
        if stamp >= 0:  # rclpy knows no earlier time
            self._inputs[stream].signalMessage(message)
        if self._matched is not None:
            self._forget_older(self._matched)
        pairs: dict[str, Any] = self._matched or {}
        matched = {(name, _nanoseconds(item)) for name, item in pairs.items()}
        gone = [item for item in before if item not in matched and item not in set(self._queued())]
        self.lost = [(name, nanoseconds * 1e-9) for name, nanoseconds in gone]
        self.dropped += len(gone)
        return self._matched

    def clear(self) -> None:
        """Forget everything queued."""
        self.dropped += len(self._queued())
        for queue in self._filter.queues:
            queue.clear()

    def _take(self, *messages: Any) -> None:
        self._matched = dict(zip(self._inputs, messages, strict=True))

    def _queued(self) -> list[tuple[str, int]]:
        queues = zip(self._inputs, self._filter.queues, strict=True)
        return [(stream, stamp) for stream, queue in queues for stamp in queue]

    def _forget_older(self, matched: dict[str, Any]) -> None:
        for queue, message in zip(self._filter.queues, matched.values(), strict=True):
            for old in [key for key in queue if key < _nanoseconds(message)]:
                del queue[old]


def _nanoseconds(message: Any) -> int:
    return int(message.header.stamp.sec) * 10**9 + int(message.header.stamp.nanosec)
