"""How the messages of a camera are to be understood where they do not say it themselves."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from semcorr_ros.provider_options import ReadingOptions

RECTIFIED = re.compile(r"(^|[/_])rect(ified)?([/_]|$)")  # image_rect, image_rect_color, rgb/rect/image
TRANSPORTS = re.compile(r"/(compressed|compressedDepth|theora|ffmpeg|zstd)$")


@dataclass(frozen=True)
class Reading:
    """What options say of a camera's messages."""

    depth_scale: float = 0.0  # metres per unit of depth; 0 = by its encoding
    rectified: bool | None = None  # None: unless camera_info has distortion
    rotate: int = 0  # degrees clockwise that make the picture upright


def reading_for(options: ReadingOptions, topic: str) -> Reading:
    """Read the options for a camera whose images come on `topic`, whose name may say that they are
    rectified."""
    rectified = {"yes": True, "no": False}.get(options.rectified)
    if rectified is None and RECTIFIED.search(TRANSPORTS.sub("", topic)):
        rectified = True
    return Reading(options.depth_scale, rectified, degrees(options))


def reading_of_requests(options: ReadingOptions) -> Reading:
    """Read the options for pictures inside requests: whoever took them, nothing says how they are turned."""
    return replace(reading_for(options, ""), rotate=0)


def degrees(options: ReadingOptions) -> int:
    """Return the turn that was given; 0 for auto."""
    return 0 if options.rotate == "auto" else int(options.rotate)
