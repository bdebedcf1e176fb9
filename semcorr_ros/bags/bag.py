"""Camera streams of a rosbag2 (mcap or sqlite3) or a ROS 1 bag, read without ROS through `rosbags`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rosbags.highlevel import AnyReader

from semcorr_ros.bags.recorded_frames import MESSAGE, STATIC, RecordedFrames
from semcorr_ros.bags.recording import messages_of, open_reader
from semcorr_ros.bags.topics import Head, choose_topics, images_in


@dataclass(frozen=True)
class Arrived:
    """A message and the stream it belongs to."""

    stream: str  # image, camera_info, depth, or a key of REGIONS
    seconds: float  # when it was recorded
    message: Any


class Bag:
    """An open bag whose streams are known."""

    def __init__(self, reader: AnyReader, topics: dict[str, str], notes: list[str]):
        self._reader = reader
        self.topics = topics  # stream -> topic; depth and regions may be missing
        self.notes = notes  # what was damaged, one sentence each
        streams = {topic: stream for stream, topic in topics.items()}
        self._connections = [c for c in reader.connections if c.topic in streams]
        self._streams = streams
        self.images = sum(c.msgcount for c in self._connections if streams[c.topic] == "image")

    def first(self) -> dict[str, Arrived]:
        """Read the first message of each stream that has one."""
        found: dict[str, Arrived] = {}
        for connection in self._connections:
            for arrived in self._read([connection]):
                found[arrived.stream] = arrived
                break
        return found

    def messages(self) -> Iterator[Arrived]:
        """Read all messages in the order of recording, as far as they are whole; `notes` says where not."""
        return self._read(self._connections)

    def frames(self) -> RecordedFrames:
        """Read all of tf."""
        found = RecordedFrames()
        connections = [one for one in self._reader.connections if one.msgtype == MESSAGE]
        for connection, _, message in messages_of(self._reader, connections, self.notes):
            found.add(message, static=connection.topic.endswith(STATIC))
        return found

    def _read(self, connections: list[Any]) -> Iterator[Arrived]:
        for connection, nanoseconds, message in messages_of(self._reader, connections, self.notes):
            yield Arrived(self._streams[connection.topic], nanoseconds * 1e-9, message)


@contextmanager
def open_bag(path: Path, wanted: dict[str, str]) -> Iterator[Bag]:
    """Open a bag. wanted: topics by stream; the others are found by type and content. depth: "" = none.

    Of a damaged one what is whole is read. Raises ValueError for an unreadable bag or ambiguous topics,
    FileNotFoundError.
    """
    with open_reader(path) as (reader, notes):
        kinds = {topic: info.msgtype or "" for topic, info in reader.topics.items()}
        heads = _heads(reader, [] if {"image", "depth"} <= set(wanted) else images_in(kinds))
        yield Bag(reader, choose_topics(kinds, wanted, heads), notes)


def _heads(reader: AnyReader, topics: list[str]) -> dict[str, Head]:
    """Look at the first image of each topic."""
    found: dict[str, Head] = {}
    for connection in reader.connections:
        if connection.topic in topics and connection.topic not in found:
            for _, _, message in messages_of(reader, [connection], []):
                encoding = getattr(message, "encoding", "") or getattr(message, "format", "")
                found[connection.topic] = Head(encoding, message.header.frame_id)
                break
    return found
