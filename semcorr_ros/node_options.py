"""Parameters of the perceive node: which there are, what is allowed, and when they may be changed.

ros/parameters.py declares them, and launch/perceive.launch.py offers some of them; this file needs no ROS.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from semcorr_ros.options import ALWAYS, NEVER, option
from semcorr_ros.provider_options import (
    AlignmentOptions,
    ComputeOptions,
    DepthOptions,
    FeatureOptions,
    FrameOptions,
    JudgementOptions,
    MaskOptions,
    ReadingOptions,
    StreamOptions,
)

# What Inputs subscribes to; each follows the remapping of the plain topic, as with image_transport.
IMAGE_TRANSPORTS = ("raw", "compressed")
DEPTH_TRANSPORTS = ("raw", "compressedDepth")

NAMESPACE = "namespace"  # frame_prefix: what a node calls its frames where nobody says
NO_PREFIX = "none"
EVERY = "all"  # keypoint_frames

CAMERA_NAME = re.compile("[A-Za-z][A-Za-z0-9_]*")  # one part of a topic name


@dataclass(frozen=True)
class ClassesOptions:
    """What is looked for, and when it begins."""

    autostart: bool = option(
        True, "configure and activate at start; false under a lifecycle manager", change=NEVER
    )
    classes: tuple[str, ...] = option((), "class files to load at start")
    active_classes: tuple[str, ...] = option(
        (), "classes aligned to every image; others only on demand", change=ALWAYS
    )


@dataclass(frozen=True)
class Parameters(
    FrameOptions,
    ReadingOptions,
    StreamOptions,
    JudgementOptions,
    AlignmentOptions,
    DepthOptions,
    MaskOptions,
    FeatureOptions,
    ComputeOptions,
    ClassesOptions,
):
    """All of the node's; the fields of the last base come first."""

    max_rate: float = option(10.0, "images per second looked at; 0 = no limit", 0.0, 1000.0, change=ALWAYS)
    image_transport: str = option(
        "raw", f"of the color image: {', '.join(IMAGE_TRANSPORTS)}", choices=IMAGE_TRANSPORTS
    )
    depth_transport: str = option(
        "raw", f"of the depth image: {', '.join(DEPTH_TRANSPORTS)}", choices=DEPTH_TRANSPORTS
    )
    max_image_age: float = option(
        2.0, "seconds after which an image is too old; 0 = never", 0.0, 3600.0, change=ALWAYS
    )
    picture_memory_mb: float = option(
        128.0,
        "of recent pictures of a camera that are kept, to be asked about by their stamp; 0 = the latest only",
        0.0,
        1e5,
    )
    request_timeout: float = option(
        30.0, "seconds a request may take that names no timeout", 0.01, 3600.0, change=ALWAYS
    )
    queue_size: int = option(4, "requests that may wait; more are refused as BUSY", 1, 1000)
    up_frame: str = option("base_link", "frame whose z axis points up, for rotate = auto")
    frame_prefix: str = option(
        NAMESPACE,
        f"begins names of broadcast frames; {NAMESPACE} = the node's (robot1/mug_0), {NO_PREFIX} = nothing",
    )
    broadcast_tf: bool = option(True, "broadcast a transform per object, where tf2 is installed")
    keypoint_frames: tuple[str, ...] = option(
        (),
        f"keypoints that get a frame each below their object's, e.g. mug_0/handle_outer; {EVERY} = every one",
    )
    point: str = option(
        "", "CLASS/KEYPOINT that is published alone on ~/point, e.g. mug/handle_outer; empty = none"
    )
    cameras: tuple[str, ...] = option(
        (), "cameras by name, each with topics below it, e.g. left/image; empty = one without a name"
    )
    memory_budget_mb: float = option(
        0.0,
        "device memory of the classes; beyond it the least recently used are evicted; 0 = no limit",
        0.0,
        1e6,
    )
    class_folder: str = option(
        "", "load_class only reads files in this folder; empty = anywhere", change=NEVER
    )
    demonstration_folder: str = option(
        "~/.ros/semcorr_ros/demonstrations",
        "where store_demonstration writes; empty = in memory only",
        change=NEVER,
    )
    max_demonstrations: int = option(1000, "demonstrations that may be stored", 0, 100000)
