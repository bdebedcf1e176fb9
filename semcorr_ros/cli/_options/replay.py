"""Options of `replay`."""

from __future__ import annotations

from dataclasses import MISSING, dataclass
from pathlib import Path

from semcorr_ros.cli._options.sources import LiveSources
from semcorr_ros.options import group, option
from semcorr_ros.provider_options import (
    AlignmentOptions,
    FrameOptions,
    JudgementOptions,
    ReadingOptions,
    StreamOptions,
)


@dataclass(frozen=True)
class BagOptions:
    """What is played, and what comes out."""

    bag: Path = option(MISSING, "folder of a rosbag2, .mcap or .bag file", metavar="BAG", positional=True)
    class_file: tuple[Path, ...] = option(MISSING, "what is looked for", several=True, metavar="FILE")
    output: Path = option(MISSING, "FILE.json, or the folder of a new bag", metavar="PATH")
    every: int = option(1, "look at every n-th picture", 1, metavar="N")


@dataclass(frozen=True)
class TopicOptions:
    """Which topics."""

    image: str | None = option(None, "default: the only one that can be it", metavar="TOPIC")
    camera_info: str | None = option(None, "default: the only one that can be it", metavar="TOPIC")
    depth: str | None = option(None, "default: the only one that can be it", metavar="TOPIC")
    no_depth: bool = option(False, "leave depth out")
    regions: str | None = option(None, "of semcorr_ros/Regions; default: the only one", metavar="TOPIC")
    detections: str | None = option(
        None, "of vision_msgs/Detection2DArray; default: the only one", metavar="TOPIC"
    )


@dataclass(frozen=True)
class ResultOptions(FrameOptions):
    """How answers are told."""

    overlay: bool = option(False, "into a new bag also what was found, drawn on every picture")


@dataclass(frozen=True)
class ReplayOptions:
    """All of them."""

    bag: BagOptions = group(BagOptions)
    topics: TopicOptions = group(TopicOptions, rare=True)
    streams: StreamOptions = group(StreamOptions)
    results: ResultOptions = group(ResultOptions, rare=True)
    reading: ReadingOptions = group(ReadingOptions, rare=True)
    alignment: AlignmentOptions = group(AlignmentOptions)
    judgement: JudgementOptions = group(JudgementOptions)
    sources: LiveSources = group(LiveSources)
