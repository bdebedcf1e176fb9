"""Which topic of a bag is which stream of the camera: by message types, and by what the images hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

IMAGES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
INFO = "sensor_msgs/msg/CameraInfo"
DEPTH_ENCODINGS = ("16UC1", "32FC1")
GRAY_ENCODINGS = ("mono8", "8UC1", "mono16")
DEPTH_WORDS = ("depth", "stereo")  # in the topic; they decide where the encoding does not
DISPARITY = "disparity"  # in pixels, in whatever encoding: no depth
REGIONS = {"regions": "semcorr_ros/msg/Regions", "detections": "vision_msgs/msg/Detection2DArray"}


@dataclass(frozen=True)
class Head:
    """Of the first image of a topic."""

    encoding: str  # or the format of a compressed one
    frame: str = ""


NO_IMAGE = Head("")


def images_in(kinds: Mapping[str, str]) -> list[str]:
    """List the topics of images."""
    return [topic for topic, kind in kinds.items() if kind in IMAGES]


def choose_topics(
    kinds: Mapping[str, str], wanted: Mapping[str, str], heads: Mapping[str, Head] | None = None
) -> dict[str, str]:
    """Choose the topic of every stream. kinds: message types, heads: first images, by topic.

    Raises ValueError listing the topics where they are ambiguous.
    """
    for stream, topic in wanted.items():
        if topic and topic not in kinds:
            raise ValueError(f"no topic {topic!r} for --{_option(stream)}; the bag has:{_listed(kinds)}")
    heads, images = heads or {}, _originals(images_in(kinds))
    depths = [topic for topic in images if _is_depth(topic, heads.get(topic, NO_IMAGE))]
    colors = [topic for topic in images if topic not in depths and DISPARITY not in topic]
    chosen = dict(wanted)
    if "image" not in chosen:
        colored = [t for t in colors if heads.get(t, NO_IMAGE).encoding not in GRAY_ENCODINGS]
        chosen["image"] = _only(colored or colors, "image", kinds)
    if "camera_info" not in chosen:
        infos = [topic for topic, kind in kinds.items() if kind == INFO]
        beside = [topic for topic in infos if _folder(topic) == _folder(chosen["image"])]
        chosen["camera_info"] = _only(beside or infos, "camera_info", kinds)
    if "depth" not in chosen and depths:
        frame = heads.get(chosen["image"], NO_IMAGE).frame
        registered = [topic for topic in depths if frame and heads.get(topic, NO_IMAGE).frame == frame]
        chosen["depth"] = _only(registered or depths, "depth", kinds)
    for stream, kind in REGIONS.items():
        found = [topic for topic, other in kinds.items() if other == kind]
        if stream not in chosen and found:
            chosen[stream] = _only(found, stream, kinds)
    return {stream: topic for stream, topic in chosen.items() if topic}


def _is_depth(topic: str, head: Head) -> bool:
    if DISPARITY in topic:
        return False
    if "compressedDepth" in head.encoding or head.encoding.partition(";")[0].strip() in DEPTH_ENCODINGS:
        return True
    unsure = head.encoding in ("", "mono16")  # mono16: an infrared picture, or depth of old drivers
    return unsure and any(word in topic for word in DEPTH_WORDS)


def _originals(topics: list[str]) -> list[str]:
    """Leave out what a transport made of another topic: image_raw/compressed beside image_raw."""
    return [topic for topic in topics if topic.rpartition("/")[0] not in topics]


def _only(found: list[str], stream: str, kinds: Mapping[str, str]) -> str:
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


def _listed(kinds: Mapping[str, str]) -> str:
    return "".join(f"\n  {topic}  {kind}" for topic, kind in sorted(kinds.items()))
