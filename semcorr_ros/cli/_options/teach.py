"""Options of `teach`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from semcorr_ros.cli._options.sources import LiveSources
from semcorr_ros.options import exclude, group, option
from semcorr_ros.provider_options import JudgementOptions

PORT = 8642


@dataclass(frozen=True)
class ProjectOptions:
    """What is taught, and where it is kept."""

    project: Path | None = option(
        None, "folder of the class, made where there is none (default: named like --category)", metavar="DIR"
    )
    category: str = option(
        "", "name of the class (default: that of the project, else its folder's name)", metavar="NAME"
    )


@dataclass(frozen=True)
class PictureSourceOptions:
    """Where pictures come from; with none of these, they are dropped on the page."""

    images: Path | None = option(None, "folder of pictures, with depth/ and cameras/ beside", metavar="DIR")
    bag: Path | None = option(None, "recorded camera: rosbag2, .mcap or .bag", metavar="BAG")
    camera: int | None = option(None, "webcam of this machine", 0, 63, metavar="N")
    ros: bool = option(False, "camera topics and the running node, over ROS 2")

    def __post_init__(self) -> None:
        given = [name for name in ("images", "bag", "ros") if getattr(self, name)]
        if given and self.camera is not None:
            raise ValueError(f"--{given[0]} and --camera exclude each other")
        exclude(self, "images", "bag", "ros")


@dataclass(frozen=True)
class RosOptions:
    """Names in the ROS graph."""

    node: str = option("/semcorr", "the node that classes are loaded into", metavar="NAME")
    image: str = option(
        "/image", "topic of the camera, with camera_info and depth beside it", metavar="TOPIC"
    )
    camera_info: str = option("", "default: beside --image", metavar="TOPIC")
    depth: str = option("", "default: beside --image", metavar="TOPIC")


@dataclass(frozen=True)
class PageOptions:
    """The page."""

    host: str = option(
        "127.0.0.1",
        "address to listen on; any other than this machine's own is warned about",
        metavar="ADDRESS",
    )
    port: int = option(PORT, "0 = any that is free", 0, 65535, metavar="N")
    no_browser: bool = option(False, "print the link only")


@dataclass(frozen=True)
class TeachOptions:
    """All of them."""

    project: ProjectOptions = group(ProjectOptions)
    pictures: PictureSourceOptions = group(PictureSourceOptions)
    page: PageOptions = group(PageOptions)
    ros: RosOptions = group(RosOptions, rare=True)
    judgement: JudgementOptions = group(JudgementOptions)
    sources: LiveSources = group(LiveSources)
