"""Where depth and masks of training images come from: their own files, or else their annotated keypoints."""

from __future__ import annotations

import argparse
import copy
import dataclasses
from collections.abc import Sequence

import torch

from semcorr_ros import plugins
from semcorr_ros.artifacts import AnnotatedImage, CategoryInfo
from semcorr_ros.cli import _data_arguments as data
from semcorr_ros.depth import JointDepth, Prepared
from semcorr_ros.masks._keypoint_hull import KeypointHull
from semcorr_ros.observations import Providers

NO_FILES = "nothing: this format has no depth files"


def add_keypoint_arguments(parser: argparse.ArgumentParser) -> None:
    """--nearer."""
    group = parser.add_argument_group("depth from keypoints")
    group.add_argument(
        "--nearer",
        action="append",
        nargs="+",
        metavar="NAME",
        help="A B [IMAGE]: keypoint A is nearer to the camera than B, in most images or in the one named; decides "
        "where the pictures cannot tell a shape from its depth reversal; several times",
    )


def with_depth(args: argparse.Namespace, images: Sequence[AnnotatedImage]) -> argparse.Namespace:
    """The arguments with the depth that is meant: from keypoints where the data set brings none.

    Raises ValueError, before anything is encoded, for depth that is asked for and not there.
    """
    name, there = data.depth_name(args), sum(image.depth_path is not None for image in images)
    if name == data.NONE:
        raise ValueError(
            "build_class needs depth: --depth keypoints (from the annotations), --depth sensor (of the data set), "
            "or --depth precomputed --depth-dir DIR"
        )
    if name != "sensor" or there:
        return args
    if args.depth == "sensor":
        looked = getattr(plugins.load("datasets", args.dataset), "DEPTH_FILES", NO_FILES)
        raise ValueError(
            f"--depth sensor: none of the {len(images)} images under {args.root} has depth; a data set of format "
            f"{args.dataset} brings {looked}. --depth keypoints needs none, and --depth precomputed --depth-dir DIR "
            "reads depth maps from elsewhere"
        )
    changed = copy.copy(args)
    changed.depth = "keypoints"
    return changed


def with_hull(providers: Providers) -> tuple[Providers, KeypointHull]:
    """The hull of the keypoints as the last mask provider: in training images the object is at least there."""
    hull = KeypointHull()
    return dataclasses.replace(providers, masks=(*providers.masks, hull)), hull


def prepare_depth(
    providers: Providers, images: Sequence[AnnotatedImage], info: CategoryInfo, generator: torch.Generator
) -> Prepared:
    """A provider that needs all images gets them. Raises ValueError saying what is missing."""
    if providers.depth is None:
        raise ValueError("build_class needs depth")
    if isinstance(providers.depth, JointDepth):
        return providers.depth.prepare(images, info, generator)
    return Prepared(providers.depth)
