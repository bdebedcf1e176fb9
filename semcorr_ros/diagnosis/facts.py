"""Facts about a running node and its inputs (collected by ros/doctor.py), and findings of `doctor`."""

from __future__ import annotations

from dataclasses import dataclass, field

from semcorr_ros.reasons import Level


@dataclass(frozen=True)
class Offer:
    """A publisher of a topic."""

    node: str
    kind: str  # e.g. "sensor_msgs/msg/Image"
    mismatch: str = ""  # why our subscription receives nothing from it, with both qualities of service


@dataclass(frozen=True)
class Sample:
    """One message that arrived."""

    arrived: float  # ROS time, seconds
    stamp: float
    frame: str
    size: tuple[int, int] | None  # (h, w); None: compressed
    encoding: str = ""  # of images
    refusal: str = ""  # "CODE: why" where it cannot be used


@dataclass(frozen=True)
class Stream:
    """One input: image, camera_info or depth."""

    name: str
    topic: str
    kind: str
    offers: tuple[Offer, ...] = ()
    samples: tuple[Sample, ...] = ()
    others: tuple[str, ...] = ()  # topics of the same kind that a camera publishes
    transport: str = ""  # the other form in which the stream is published: its topic; empty: none


@dataclass(frozen=True)
class Facts:
    """Everything about one node. Times in seconds."""

    node: str  # its full name
    found: bool
    nodes: tuple[str, ...] = ()  # all full names in the graph
    watched: float = 0.0
    parameters: dict[str, object] = field(default_factory=dict)
    diagnostics: dict[str, str] = field(default_factory=dict)
    streams: tuple[Stream, ...] = ()
    clock_publishers: int = 0


@dataclass(frozen=True)
class Finding:
    """One diagnosis; `fix` is empty where there is nothing to do."""

    level: Level
    about: str  # e.g. "topic image"
    what: str
    fix: str = ""


def ok(about: str, what: str) -> Finding:
    """Make a finding that all is well."""
    return Finding(Level.OK, about, what)


def warn(about: str, what: str, fix: str) -> Finding:
    """Make a finding of something that works, but not as it should."""
    return Finding(Level.WARN, about, what, fix)


def error(about: str, what: str, fix: str) -> Finding:
    """Make a finding of something that cannot work."""
    return Finding(Level.ERROR, about, what, fix)
