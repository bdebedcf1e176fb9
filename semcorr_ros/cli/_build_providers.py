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
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation
from semcorr_ros.observations import Providers

NO_FILES = "nothing: this format has no depth files"


def add_keypoint_arguments(parser: argparse.ArgumentParser) -> None:
    """--nearer and --size."""
    group = parser.add_argument_group("depth from keypoints")
    group.add_argument(
        "--nearer",
        action="append",
        nargs="+",
        metavar="NAME",
        help="A B [IMAGE]: keypoint A is nearer to the camera than B, in most images or in the one "
        "named; decides where the pictures cannot tell a shape from its depth reversal; several times",
    )
    group.add_argument(
        "--size",
        nargs=3,
        metavar=("METRES", "A", "B"),
        help="a mean length of the class, from keypoint A to keypoint B, such as 0.09 rim_left rim_right: "
        "gives the class its size in metres, whatever its depth says",
    )


def with_depth(args: argparse.Namespace, images: Sequence[AnnotatedImage]) -> argparse.Namespace:
    """The arguments with the depth that is meant: from keypoints where the data set brings none.

    Raises ValueError, before anything is encoded, for depth that is asked for and not there.
    """
    name, there = data.depth_name(args), sum(image.depth_path is not None for image in images)
    if name == data.NONE:
        raise ValueError(
            "build_class needs depth: --depth keypoints (from the annotations), --depth sensor (of the data "
            "set), or --depth precomputed --depth-dir DIR"
        )
    if name != "sensor" or there:
        return args
    if args.depth == "sensor":
        looked = getattr(plugins.load("datasets", args.dataset), "DEPTH_FILES", NO_FILES)
        raise ValueError(
            f"--depth sensor: none of the {len(images)} images under {args.root} has depth; a data set of "
            f"format {args.dataset} brings {looked}. --depth keypoints needs none, and --depth precomputed "
            "--depth-dir DIR reads depth maps from elsewhere"
        )
    changed = copy.copy(args)
    changed.depth = "keypoints"
    return changed


def with_hull(providers: Providers) -> tuple[Providers, KeypointHull]:
    """The hull of the keypoints as the last mask provider: the object is at least there."""
    hull = KeypointHull()
    return dataclasses.replace(providers, masks=(*providers.masks, hull)), hull


def size_from(args: argparse.Namespace, info: CategoryInfo) -> tuple[float, int, int] | None:
    """Metres and two keypoint ids of --size. Raises ValueError naming what is wrong with it."""
    if args.size is None:
        return None
    text, *names = args.size
    for name in names:
        if name not in info.keypoint_names:
            known = ", ".join(info.keypoint_names)
            raise ValueError(f"--size: no keypoint {name!r} in {info.name!r}; known: {known}")
    try:
        metres = float(text)
    except ValueError:
        metres = 0.0
    if not 0 < metres < float("inf") or names[0] == names[1]:
        raise ValueError(
            "--size takes metres above 0 and two different keypoints, METRES A B, got "
            f"{' '.join(args.size)!r}"
        )
    first, second = (info.keypoint_names.index(name) for name in names)
    return metres, first, second


def with_size(model: ClassRepresentation, size: tuple[float, int, int] | None) -> ClassRepresentation:
    """The class with that distance between two of its keypoints. Raises ValueError if one is not placed."""
    if size is None:
        return model
    metres, first, second = size
    for k in (first, second):
        if not model.seen[k]:
            raise ValueError(f"--size: keypoint {model.info.keypoint_names[k]!r} could not be placed")
    length = float((model.sparse[first] - model.sparse[second]).norm())
    return dataclasses.replace(model, metric_scale=metres / max(length, 1e-6))


def prepare_depth(
    providers: Providers, images: Sequence[AnnotatedImage], info: CategoryInfo, generator: torch.Generator
) -> Prepared:
    """A provider that needs all images gets them. Raises ValueError saying what is missing."""
    if providers.depth is None:
        raise ValueError("build_class needs depth")
    if isinstance(providers.depth, JointDepth):
        return providers.depth.prepare(images, info, generator)
    return Prepared(providers.depth)
