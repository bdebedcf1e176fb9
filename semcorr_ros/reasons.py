"""What each reason means and what to do about it: printed by `doctor`, published on /diagnostics."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from semcorr_ros.refusal import Code


class Level(IntEnum):
    """Severity, in the numbers of diagnostic_msgs."""

    OK = 0
    WARN = 1
    ERROR = 2


@dataclass(frozen=True)
class Reason:
    """Explanation of a code, and its remedy, for a user."""

    meaning: str
    fix: str
    harmless: bool = False  # happens in every healthy system
    starting: bool = False  # happens while the nodes of a healthy system start


REASONS = {
    Code.UNKNOWN: Reason("an unforeseen failure", "report it with the traceback in the node's log"),
    Code.BAD_REQUEST: Reason("the request contradicts itself", "read the message of the answer"),
    Code.CLASS_UNKNOWN: Reason(
        "no class of this name is loaded", "load it with ~/load_class, or name it in the parameter `classes`"
    ),
    Code.NO_IMAGE: Reason(
        "no image, or none recent enough", "remap `image` to the camera's topic, or raise max_image_age"
    ),
    Code.NO_CAMERA_INFO: Reason(
        "no calibration has arrived",
        "remap `camera_info` to the topic beside the image",
        starting=True,
    ),
    Code.UNCALIBRATED: Reason(
        "camera_info arrives without a usable calibration", "calibrate the camera (camera_calibration)"
    ),
    Code.BAD_ENCODING: Reason(
        "the encoding is not supported, or the bytes do not fit it",
        "set the driver to rgb8 and 16UC1, or image_transport and depth_transport to what it sends",
    ),
    Code.SIZE_MISMATCH: Reason(
        "image, depth and calibration are of different sizes",
        "feed depth that is registered to the image (align_depth) and its camera_info",
    ),
    Code.SYNC_MISS: Reason(
        "image and depth stamps differ by more than sync_slop",
        "switch on the driver's synchronization, or raise sync_slop to half a frame",
        starting=True,
    ),
    Code.NO_DEPTH: Reason(
        "no depth where it is needed",
        "remap `depth`; at points: dark, shiny, near or far surfaces have none",
        starting=True,
    ),
    Code.FRAME_MISMATCH: Reason(
        "image, depth and camera_info name different frames",
        "feed depth that is registered to the image: unregistered depth gives wrong positions",
    ),
    Code.SEVERAL_PUBLISHERS: Reason(
        "messages of two publishers alternate on one topic",
        "stop one of the two (ros2 topic info -v TOPIC), or remap the node's input to the one that is meant",
    ),
    Code.TIME_JUMP: Reason(
        "time went back: a bag or a simulation began again", "nothing: tf, pairs and tracks begin anew"
    ),
    Code.QOS_INCOMPATIBLE: Reason(
        "a publisher offers a quality of service that does not fit", "set qos_overrides for the topic"
    ),
    Code.MESSAGE_LOST: Reason(
        "messages were lost on their way, as parts of large images are",
        "start every process with FASTDDS_DEFAULT_PROFILES_FILE=config/fastdds_large_images.xml, or let the "
        "camera publish reliably",
        starting=True,
    ),
    Code.TF_MISSING: Reason(
        "no transform to target_frame, or from up_frame, at the stamp of the image",
        "publish it, check use_sim_time, or leave target_frame empty and rotate 0",
        starting=True,
    ),
    Code.NOT_FOUND: Reason(
        "nothing in the image looks like the class",
        "is it in view and lit? Is the class built on images like these? Give a region of interest",
    ),
    Code.LOW_SCORE: Reason(
        "found, but less surely than min_score", "look from closer or another side, or lower min_score"
    ),
    Code.BACKBONE_MISMATCH: Reason(
        "the class was built on other features",
        "leave `backbone` empty: the first active class's own; or rebuild the class",
    ),
    Code.BAD_FILE: Reason("a file is missing, damaged or of another kind", "build or copy it again"),
    Code.BUSY: Reason("more requests than queue_size wait", "ask less often, or raise queue_size"),
    Code.TIMEOUT: Reason("no answer in the time allowed", "allow more, or choose quality: fast"),
    Code.OUT_OF_MEMORY: Reason(
        "the device's memory is full", "unload classes, lower the class budget, or use a smaller backbone"
    ),
    Code.DEMONSTRATION_UNKNOWN: Reason(
        "no demonstration of this id", "store it with ~/store_demonstration; ~/list_demonstrations lists them"
    ),
    Code.FORBIDDEN: Reason("a path or name that is not allowed", "use files below the configured folder"),
    Code.INACTIVE: Reason(
        "the node is not active", "ros2 lifecycle set NODE configure, then activate; or autostart: true"
    ),
    Code.PREPARING: Reason(
        "the alignment's kernels are being compiled: once, where the installation brought none",
        "ask again in a few seconds; colcon build compiles them beforehand",
    ),
    Code.SHUTDOWN: Reason("the node is shutting down", "ask again when it is back", harmless=True),
    Code.CANCELED: Reason("the caller canceled", "nothing", harmless=True),
    Code.PREEMPTED: Reason("a request came first", "nothing", harmless=True),
    Code.RATE_LIMIT: Reason("images come faster than max_rate", "nothing, or raise max_rate", harmless=True),
    Code.REPLACED: Reason(
        "a newer image came before this one was looked at", "nothing, or a faster device", harmless=True
    ),
}
