"""Camera streams of a rosbag2 (mcap or sqlite3) or a ROS 1 bag, read without ROS through `rosbags`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rosbags.highlevel import AnyReader, AnyReaderError
from rosbags.typesys import Stores, get_typestore

IMAGES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
INFO = "sensor_msgs/msg/CameraInfo"
DEPTH_WORDS = ("depth", "disparity")  # in topics of images that are not color
REGIONS = {"regions": "semcorr_ros/msg/Regions", "detections": "vision_msgs/msg/Detection2DArray"}


@dataclass(frozen=True)
class Arrived:
    """A message and the stream it belongs to."""

    stream: str  # image, camera_info, depth, or a key of REGIONS
    seconds: float  # when it was recorded
    message: Any


class Bag:
    """An open bag whose streams are known."""

    def __init__(self, reader: AnyReader, topics: dict[str, str]):
        self._reader = reader
        self.topics = topics  # stream -> topic; depth and regions may be missing
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
        """Read all messages in the order of recording."""
        return self._read(self._connections)

    def _read(self, connections: list[Any]) -> Iterator[Arrived]:
        for connection, nanoseconds, raw in self._reader.messages(connections=connections):
            message = self._reader.deserialize(raw, connection.msgtype)
            yield Arrived(self._streams[connection.topic], nanoseconds * 1e-9, message)


@contextmanager
def open_bag(path: Path, wanted: dict[str, str]) -> Iterator[Bag]:
    """Open a bag. wanted: topics by stream; the others are found by type and name. depth: "" = none.

    Raises ValueError for an unreadable bag or ambiguous topics, FileNotFoundError.
    """
    if not path.exists():
        raise FileNotFoundError(f"no bag {path}")
    try:
        # A bag without definitions (sqlite3 before Iron) has older types: Jazzy's still fit.
        reader = AnyReader([path], default_typestore=get_typestore(Stores.ROS2_JAZZY))
        reader.open()
    except (AnyReaderError, OSError, ValueError, KeyError) as error:
        raise ValueError(f"{path} is not a readable bag: {error}") from error
    try:
        kinds = {topic: info.msgtype or "" for topic, info in reader.topics.items()}
        yield Bag(reader, choose_topics(kinds, wanted))
    finally:
        reader.close()


def choose_topics(kinds: dict[str, str], wanted: dict[str, str]) -> dict[str, str]:
    """Choose the topic of every stream. Raises ValueError listing the topics where they are ambiguous."""
    for stream, topic in wanted.items():
        if topic and topic not in kinds:
            raise ValueError(f"no topic {topic!r} for --{_option(stream)}; the bag has:{_listed(kinds)}")
    images = [topic for topic, kind in kinds.items() if kind in IMAGES]
    depths = [topic for topic in images if any(word in topic for word in DEPTH_WORDS)]
    colors = [topic for topic in images if topic not in depths]
    chosen = dict(wanted)
    if "image" not in chosen:
        chosen["image"] = _only(colors, "image", kinds)
    if "camera_info" not in chosen:
        infos = [topic for topic, kind in kinds.items() if kind == INFO]
        beside = [topic for topic in infos if _folder(topic) == _folder(chosen["image"])]
        chosen["camera_info"] = _only(beside or infos, "camera_info", kinds)
    if "depth" not in chosen and depths:
        chosen["depth"] = _only(depths, "depth", kinds)
    for stream, kind in REGIONS.items():
        found = [topic for topic, other in kinds.items() if other == kind]
        if stream not in chosen and found:
            chosen[stream] = _only(found, stream, kinds)
    return {stream: topic for stream, topic in chosen.items() if topic}


def _only(found: list[str], stream: str, kinds: dict[str, str]) -> str:
    if len(found) != 1:
        count = "no topic" if not found else f"{len(found)} topics ({', '.join(sorted(found))})"
        none = " (or --no-depth)" if stream == "depth" else ""
        raise ValueError(
            f"{count} could be the {stream}; choose with --{_option(stream)}{none}; the bag has:"
            f"{_listed(kinds)}"
        )
    return found[0]


def _folder(topic: str) -> str:
    """Return the namespace of a camera: camera_info lies beside image_raw; a transport adds one more
    level."""
    plain = topic.removesuffix("/compressed").removesuffix("/compressedDepth")
    return plain.rpartition("/")[0]


def _option(stream: str) -> str:
    return stream.replace("_", "-")


def _listed(kinds: dict[str, str]) -> str:
    return "".join(f"\n  {topic}  {kind}" for topic, kind in sorted(kinds.items()))
