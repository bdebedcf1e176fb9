"""ROS parameters of the perceive node: which there are, what is allowed, and when they may be changed."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path

from rclpy.node import Node
from rclpy.parameter import Parameter

from semcorr_ros.backbones import DEFAULT
from semcorr_ros.judgement import MIN_SCORE
from semcorr_ros.ros import declaration
from semcorr_ros.ros.declaration import ALWAYS, NEVER, UNCONFIGURED
from semcorr_ros.ros.declaration import param as _param
from semcorr_ros.sensing.assembly import DEPTH_CHOICES

# What Inputs subscribes to; each follows the remapping of the plain topic, as with image_transport.
IMAGE_TRANSPORTS = ("raw", "compressed")
DEPTH_TRANSPORTS = ("raw", "compressedDepth")

PRECISIONS = ("fp32", "fp16", "bf16")
CAMERA_NAME = re.compile("[A-Za-z][A-Za-z0-9_]*")  # one part of a topic name


@dataclass(frozen=True)
class Parameters:
    """`change` says when a parameter may be changed: always, only while the node is unconfigured, never."""

    autostart: bool = _param(
        True, "configure and activate at start; false under a lifecycle manager", change=NEVER
    )
    classes: tuple[str, ...] = _param((), "class files to load at start")
    active_classes: tuple[str, ...] = _param(
        (), "classes aligned to every image; others only on demand", change=ALWAYS
    )
    device: str = _param("auto", "torch device; auto = cuda where there is one")
    threads: int = _param(0, "CPU threads of torch; 0 = its own choice", 0, 1024)
    backbone: str = _param("", f"feature extractor; empty = that of the classes, without any {DEFAULT}")
    weights: str = _param("", "weights of the backbone; empty = its own default")
    backbone_options: tuple[str, ...] = _param(
        (), "other settings of the backbone, e.g. layout=unpadded; empty = those of the classes"
    )
    precision: str = _param(
        "", f"of the networks for features, masks and depth: {', '.join(PRECISIONS)}; empty = their own"
    )
    masks: tuple[str, ...] = _param(
        (), "who outlines objects, the first with an answer, e.g. sam; empty = attention"
    )
    mask_options: tuple[str, ...] = _param((), "settings of `masks`, e.g. sam.size=base")
    depth_network: str = _param("", "gives depth to images without, e.g. depth_anything; empty = none")
    depth_options: tuple[str, ...] = _param((), "settings of `depth_network`, e.g. model=metric-indoor")
    quality: str = _param(
        "fast", "fast; tracking (start from the last picture); paper (its own constants); or a YAML file"
    )
    seed: int = _param(0, "every alignment starts from this random seed: same image, same answer", 0, 2**31)
    min_score: float = _param(
        -1.0,
        "confidence below which an object counts as not found; -1 = the backbone's own, "
        f"{MIN_SCORE:g} or more",
        -1.0,
        1.0,
        change=ALWAYS,
    )
    max_rate: float = _param(10.0, "images per second looked at; 0 = no limit", 0.0, 1000.0, change=ALWAYS)
    depth: str = _param("auto", f"use of the depth stream: {', '.join(DEPTH_CHOICES)}")
    image_transport: str = _param("raw", f"of the color image: {', '.join(IMAGE_TRANSPORTS)}")
    depth_transport: str = _param("raw", f"of the depth image: {', '.join(DEPTH_TRANSPORTS)}")
    sync_slop: float = _param(0.05, "seconds by which image and depth stamps may differ", 1e-4, 10.0)
    max_image_age: float = _param(
        2.0, "seconds after which an image is too old; 0 = never", 0.0, 3600.0, change=ALWAYS
    )
    request_timeout: float = _param(
        30.0, "seconds a request may take that names no timeout", 0.01, 3600.0, change=ALWAYS
    )
    queue_size: int = _param(4, "requests that may wait; more are refused as BUSY", 1, 1000)
    target_frame: str = _param("", "frame of all positions, by tf2 at the image's stamp; empty = camera's")
    broadcast_tf: bool = _param(True, "broadcast a transform per object, where tf2 is installed")
    cameras: tuple[str, ...] = _param(
        (), "cameras by name, each with topics below it, e.g. left/image; empty = one without a name"
    )
    regions: str = _param("auto", f"use of detectors' regions of interest: {', '.join(DEPTH_CHOICES)}")
    class_aliases: tuple[str, ...] = _param((), "names of a detector's classes, e.g. cup=mug")
    max_instances: int = _param(
        1, "objects per class and image where no detector says more", 1, 100, change=ALWAYS
    )
    memory_budget_mb: float = _param(
        0.0,
        "device memory of the classes; beyond it the least recently used are evicted; 0 = no limit",
        0.0,
        1e6,
    )
    class_folder: str = _param(
        "", "load_class only reads files in this folder; empty = anywhere", change=NEVER
    )
    demonstration_folder: str = _param(
        "~/.ros/semcorr_ros/demonstrations",
        "where store_demonstration writes; empty = in memory only",
        change=NEVER,
    )
    max_demonstrations: int = _param(1000, "demonstrations that may be stored", 0, 100000)


def declare(node: Node) -> Parameters:
    """Declare every parameter and read it. Raises ValueError naming a value that is not allowed."""
    return check(declaration.declare(node, Parameters))


def updated(node: Node, changes: list[Parameter], configured: bool) -> Parameters:
    """The parameters with `changes` applied. Raises ValueError naming what is not allowed, and why."""
    when = {item.name: item.metadata["change"] for item in dataclasses.fields(Parameters)}
    fixed = [change.name for change in changes if when.get(change.name) == UNCONFIGURED]
    if configured and fixed:
        raise ValueError(
            f"{', '.join(fixed)} can only be changed while the node is unconfigured: "
            "deactivate it and clean it up first (ros2 lifecycle set NODE cleanup)"
        )
    wanted = check(declaration.read(node, Parameters, {change.name: change.value for change in changes}))
    if wanted.class_folder and any(change.name == "classes" for change in changes):
        _check_confined(wanted)
    return wanted


def check(parameters: Parameters) -> Parameters:
    """Raises ValueError for what ranges cannot express."""
    for item in dataclasses.fields(Parameters):
        declaration.check_number(item.name, getattr(parameters, item.name))
    choices = {
        "depth": DEPTH_CHOICES, "regions": DEPTH_CHOICES,
        "image_transport": IMAGE_TRANSPORTS, "depth_transport": DEPTH_TRANSPORTS,
        "precision": ("", *PRECISIONS),
    }  # fmt: skip
    for name, allowed in choices.items():
        value = getattr(parameters, name)
        if value not in allowed:
            listed = ", ".join(choice or "(empty)" for choice in allowed)
            raise ValueError(f"{name} must be one of {listed}, got {value!r}")
    if parameters.depth_network and parameters.depth == "required":
        raise ValueError("depth_network gives depth to images without: it has no use if depth is required")
    for camera in parameters.cameras:
        if not CAMERA_NAME.fullmatch(camera) or parameters.cameras.count(camera) > 1:
            raise ValueError(
                f"cameras must be different names of letters, digits and _, got {list(parameters.cameras)}"
            )
    for alias in parameters.class_aliases:
        if not all(alias.partition("=")):
            raise ValueError(f"class_aliases are like cup=mug (the detector's name first), got {alias!r}")
    return parameters


def _check_confined(parameters: Parameters) -> None:
    """What comes by a service call is confined as load_class is; the files named at start are not."""
    folder = Path(parameters.class_folder).expanduser().resolve()
    for path in parameters.classes:
        if not Path(path).resolve().is_relative_to(folder):
            raise ValueError(f"classes: {path} is not in the class_folder {folder}")
