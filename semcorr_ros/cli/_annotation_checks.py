"""Check a class's annotations before anything is computed; each problem is a sentence with its remedy."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from semcorr_ros.artifacts import AnnotatedImage, CategoryInfo
from semcorr_ros.datasets._coco_categories import flip_of

SHOWN = 3  # images that are named
LARGE = 10.0  # metres between two keypoints; above, millimetres or centimetres are likelier


def about_annotations(images: Sequence[AnnotatedImage], info: CategoryInfo) -> list[str]:
    """Describe keypoints outside of their images and a flip table that contradicts the names."""
    return [*_outside(images, info), *_flip(info)]


def about_size(size: tuple[float, int, int] | None, info: CategoryInfo) -> list[str]:
    """Warn of an implausibly large --size."""
    if size is None or size[0] <= LARGE:
        return []
    metres, first, second = size
    names = info.keypoint_names
    return [f"--size: {metres:g} metres from {names[first]} to {names[second]}; were millimetres meant?"]


def _outside(images: Sequence[AnnotatedImage], info: CategoryInfo) -> list[str]:
    found = []
    for image in images:
        height, width = image.size
        known = image.visible & torch.isfinite(image.keypoints).all(-1)
        x, y = image.keypoints.unbind(-1)
        inside = (x > -0.5) & (y > -0.5) & (x < width - 0.5) & (y < height - 0.5)
        for k in (known & ~inside).nonzero()[:, 0].tolist():
            place = f"({float(x[k]):g}, {float(y[k]):g}) of {width}x{height}"
            found.append(f"{image.name}: {info.keypoint_names[k]} at {place}")
    if not found:
        return []
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return [
        f"keypoints outside of their image are not used ({'; '.join(found[:SHOWN])}{more}); coordinates are "
        "pixels of the upright image, x to the right, y down"
    ]


def _flip(info: CategoryInfo) -> list[str]:
    named, names = flip_of(info.keypoint_names), info.keypoint_names
    if named is None:
        return []
    if info.flip is None:
        return [
            f"{info.name!r} has no 'flip', so its images are not mirrored; left and right in the names of "
            f"its keypoints would give {list(named)}"
        ]
    for k, partner in enumerate(named):
        if partner != k and info.flip[k] != partner:
            return [
                f"'flip' of {info.name!r} puts {names[info.flip[k]]} in the place of {names[k]} in a "
                f"mirrored image, by their names it would be {names[partner]}: check it; by all names it "
                f"would be {list(named)}"
            ]
    return []
