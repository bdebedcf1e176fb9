"""Options that the command line and the node share: networks, alignment, judgement, streams.

The node's parameters (ros/parameters.py) inherit from these groups; verbs hold them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from semcorr_ros.options import ALWAYS, option
from semcorr_ros.registry import names

DEFAULT_BACKBONE = "efficientnet_lite"
PRECISIONS = ("fp32", "fp16", "bf16")
DEPTH_CHOICES = ("auto", "required", "none")
ROTATIONS = ("0", "90", "180", "270")
MIN_SCORE = 0.1  # confidence below which an object counts as not found (docs/accuracy.md)


@dataclass(frozen=True)
class ComputeOptions:
    """Where torch computes."""

    device: str = option("auto", "torch device; auto = cuda where there is one")
    threads: int = option(0, "CPU threads of torch; 0 = its own choice", 0, 1024, metavar="N")


@dataclass(frozen=True)
class FeatureOptions:
    """The backbone."""

    backbone: str = option(
        "",
        f"feature extractor; empty = that of the classes, without any {DEFAULT_BACKBONE}",
        choices=partial(names, "semcorr_ros.features"),
        metavar="NAME",
    )
    weights: str = option("", "weights of the backbone; empty = its own default", metavar="PATH")
    backbone_options: tuple[str, ...] = option(
        (),
        "other settings of the backbone, e.g. layout=unpadded; empty = those of the classes",
        flag="backbone-option",
        several=True,
        metavar="KEY=VALUE",
    )
    precision: str = option(
        "",
        f"of the networks for features, masks and depth: {', '.join(PRECISIONS)}; empty = their own",
        choices=PRECISIONS,
    )


@dataclass(frozen=True)
class MaskOptions:
    """Who outlines objects in pictures that no data set lies beside."""

    masks: tuple[str, ...] = option(
        (),
        "who outlines objects, the first with an answer, e.g. sam; empty = attention",
        choices=partial(names, "semcorr_ros.masks"),
        metavar="NAME",
    )
    mask_options: tuple[str, ...] = option(
        (),
        "settings of `masks`, e.g. sam.size=base",
        flag="mask-option",
        several=True,
        metavar="NAME.KEY=VALUE",
    )


@dataclass(frozen=True)
class DepthOptions:
    """Depth of pictures that come without."""

    depth_network: str = option(
        "",
        "gives depth to images without, e.g. depth_anything; empty = none",
        choices=partial(names, "semcorr_ros.depth"),
        metavar="NAME",
    )
    depth_options: tuple[str, ...] = option(
        (),
        "settings of `depth_network`, e.g. model=metric-indoor",
        flag="depth-option",
        several=True,
        metavar="KEY=VALUE",
    )


@dataclass(frozen=True)
class AlignmentOptions:
    """How a class is aligned."""

    quality: str = option(
        "fast", "fast; tracking (start from the last picture); paper (its own constants); or a YAML file"
    )
    seed: int = option(
        0, "every alignment starts from this random seed: same image, same answer", 0, 2**31, metavar="N"
    )


@dataclass(frozen=True)
class JudgementOptions:
    """What counts as found."""

    min_score: float = option(
        -1.0,
        "confidence below which an object counts as not found; -1 = the backbone's own, "
        f"{MIN_SCORE:g} or more",
        -1.0,
        1.0,
        change=ALWAYS,
        metavar="X",
    )


@dataclass(frozen=True)
class ReadingOptions:
    """What pictures and depth do not say of themselves."""

    depth_scale: float = option(
        0.0,
        "metres per unit of depth; 0 = integers (16UC1) are millimetres, floats (32FC1) metres",
        0.0,
        1000.0,
        metavar="METRES",
    )
    rectified: str = option(
        "auto",
        "pictures have no distortion any more, and P of their calibration counts: yes, no; auto = where the "
        "topic is named image_rect*, or the calibration has no distortion",
        choices=("auto", "yes", "no"),
    )
    rotate: str = option(
        "0",
        f"degrees clockwise that make pictures upright: {', '.join(ROTATIONS)}; auto = by tf, in the node. "
        "Answers stay in the camera's own pixels and frame",
        choices=(*ROTATIONS, "auto"),
        metavar="DEGREES",
    )


@dataclass(frozen=True)
class FrameOptions:
    """In whose frame answers are."""

    target_frame: str = option(
        "", "frame of all positions, by tf2 at the image's stamp; empty = camera's", metavar="FRAME"
    )


@dataclass(frozen=True)
class StreamOptions:
    """How images, depth and a detector's regions are put together."""

    depth: str = option(
        "auto",
        f"use of the depth stream: {', '.join(DEPTH_CHOICES)}",
        choices=DEPTH_CHOICES,
        flag="depth-mode",
    )
    sync_slop: float = option(
        0.05, "seconds by which image and depth stamps may differ", 1e-4, 10.0, metavar="S"
    )
    regions: str = option(
        "auto",
        f"use of detectors' regions of interest: {', '.join(DEPTH_CHOICES)}",
        choices=DEPTH_CHOICES,
        flag="regions-mode",
    )
    class_aliases: tuple[str, ...] = option(
        (),
        "names of a detector's classes, e.g. cup=mug",
        flag="class-alias",
        several=True,
        metavar="THEIRS=OURS",
    )
    max_instances: int = option(
        1, "objects per class and image where no detector says more", 1, 100, change=ALWAYS, metavar="N"
    )
