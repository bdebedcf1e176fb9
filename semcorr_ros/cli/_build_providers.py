"""Where depth and masks of training images come from: their own files, or else their annotated keypoints."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch

from semcorr_ros.artifacts import AnnotatedImage, CategoryInfo
from semcorr_ros.cli._options.build_class import BuildClassOptions, KeypointDepthOptions
from semcorr_ros.cli._options.sources import NONE, DatasetSources
from semcorr_ros.cli._providers import depth_name
from semcorr_ros.datasets import DATASETS
from semcorr_ros.depth import JointDepth, Prepared
from semcorr_ros.masks._keypoint_hull import KeypointHull
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation
from semcorr_ros.observations import Providers

NO_FILES = "nothing: this format has no depth files"


def with_depth(options: BuildClassOptions, images: Sequence[AnnotatedImage]) -> DatasetSources:
    """Choose the depth source: keypoints where the data set has no depth.

    Raises ValueError, before anything is encoded, where the depth asked for does not exist.
    """
    sources = options.sources
    name, there = depth_name(sources), sum(image.depth_path is not None for image in images)
    if name == NONE:
        raise ValueError(
            "build_class needs depth: --depth keypoints (from the annotations), --depth sensor (of the data "
            "set), or --depth precomputed --depth-dir DIR"
        )
    if name != "sensor" or there:
        return sources
    if sources.depth.depth == "sensor":
        looked = DATASETS.load(options.dataset.dataset).depth_files or NO_FILES
        raise ValueError(
            f"--depth sensor: none of the {len(images)} images under {options.dataset.root} has depth; a "
            f"data set of format {options.dataset.dataset} brings {looked}. --depth keypoints needs none, "
            "and --depth precomputed --depth-dir DIR reads depth maps from elsewhere"
        )
    return dataclasses.replace(sources, depth=dataclasses.replace(sources.depth, depth="keypoints"))


def with_hull(providers: Providers) -> tuple[Providers, KeypointHull]:
    """Add the hull of the keypoints as the last mask provider: a lower bound of the object."""
    hull = KeypointHull()
    return dataclasses.replace(providers, masks=(*providers.masks, hull)), hull


def size_from(options: KeypointDepthOptions, info: CategoryInfo) -> tuple[float, int, int] | None:
    """Read metres and two keypoint ids of --size. Raises ValueError naming what is wrong with it."""
    if not options.size:
        return None
    text, *names = options.size
    for name in names:
        if name not in info.keypoint_names:
            known = ", ".join(info.keypoint_names)
            raise ValueError(f"--size: no keypoint {name!r} in {info.name!r}; known: {known}")
    try:
        metres = float(text)
    except ValueError:
        metres = 0.0
    if not 0 < metres < float("inf") or len(set(names)) != 2 or len(names) != 2:
        raise ValueError(
            "--size takes metres above 0 and two different keypoints, METRES A B, got "
            f"{' '.join(options.size)!r}"
        )
    first, second = (info.keypoint_names.index(name) for name in names)
    return metres, first, second


def with_size(model: ClassRepresentation, size: tuple[float, int, int] | None) -> ClassRepresentation:
    """Scale the class to that distance between two of its keypoints. Raises ValueError if one is not
    placed."""
    if size is None:
        return model
    metres, first, second = size
    for k in (first, second):
        if not model.annotated[k]:
            raise ValueError(f"--size: keypoint {model.info.keypoint_names[k]!r} could not be placed")
    length = float((model.sparse[first] - model.sparse[second]).norm())
    return dataclasses.replace(model, metric_scale=metres / max(length, 1e-6))


def prepare_depth(
    providers: Providers, images: Sequence[AnnotatedImage], info: CategoryInfo, generator: torch.Generator
) -> Prepared:
    """Prepare a depth provider that needs all images at once. Raises ValueError saying what is missing."""
    if providers.depth is None:
        raise ValueError("build_class needs depth")
    if isinstance(providers.depth, JointDepth):
        return providers.depth.prepare(images, info, generator)
    return Prepared(providers.depth)
