"""From the annotated images of a data set to what the lift works on, and what is wrong with them in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor

from semcorr_ros.artifacts import AnnotatedImage, Camera, CategoryInfo
from semcorr_ros.geometry.cameras import centered
from semcorr_ros.structure.state import Sightings

MIN_IMAGES = 4
MIN_KEYPOINTS = 4  # of a picture: a camera has six numbers, and three points fit any
MIN_SEEN = 2  # pictures that must show a keypoint
SMALLEST = 2.0  # RMS radius in pixels of a picture's keypoints


@dataclass(frozen=True)
class Collected:
    """What is usable, and what was left out and why. Rows of `sights` are those of `images`."""

    images: list[AnnotatedImage]
    cameras: list[Camera]  # assumed where the data set has none
    sights: Sightings  # of the placed keypoints only
    placed: Bool[Tensor, "keypoint"]  # False: too rarely annotated
    flip: tuple[int, ...] | None  # of the placed keypoints
    refused: dict[str, str]  # reasons by the name of the image


def collect(images: Sequence[AnnotatedImage], info: CategoryInfo, focal: float) -> Collected:
    """Collect the usable images of one category.

    Cameras that are not known get `focal` times the longer side.

    Raises ValueError naming what is missing, if fewer than four images are left.
    """
    refused: dict[str, str] = {}
    usable = []
    for image in images:
        reason = _refusal(image, len(info.keypoint_names))
        if reason:
            refused[image.name] = reason
        else:
            usable.append(image)
    placed = _often_seen(usable, len(info.keypoint_names), info.flip)
    for image in usable:
        if (_shown(image) & placed).sum() < MIN_KEYPOINTS:
            refused[image.name] = f"it shows fewer than {MIN_KEYPOINTS} keypoints that other images show, too"
    usable = [image for image in usable if image.name not in refused]
    if len(usable) < MIN_IMAGES:
        told = "; ".join(f"{name}: {reason}" for name, reason in list(refused.items())[:3])
        raise ValueError(
            f"depth from keypoints needs at least {MIN_IMAGES} images with {MIN_KEYPOINTS} annotated "
            f"keypoints of {info.name!r} each, {len(usable)} of {len(images)} are usable"
            f"{f' ({told})' if told else ''}; annotate more images, or give depth maps "
            "with --depth precomputed --depth-dir DIR"
        )
    cameras = [image.camera or centered(focal * max(image.size), image.size) for image in usable]
    sights = _sightings(usable, cameras, placed)
    return Collected(usable, cameras, sights, placed, _flip_among(info.flip, placed), refused)


def _refusal(image: AnnotatedImage, count: int) -> str:
    """Return why an image cannot be used; empty if it can."""
    if len(image.keypoints) != count:
        return f"{len(image.keypoints)} keypoints, the category has {count}"
    shown = _shown(image)
    if shown.sum() < MIN_KEYPOINTS:
        return f"{int(shown.sum())} annotated keypoints in the image, {MIN_KEYPOINTS} are needed"
    points = image.keypoints[shown].double()
    extents = torch.linalg.svdvals(points - points.mean(0)) / len(points) ** 0.5
    if extents[0] < SMALLEST:
        return (
            f"its keypoints all lie within {2 * float(extents[0]):.1f} pixels of each other; coordinates are "
            "pixels, no shares of the image"
        )
    return ""


def _shown(image: AnnotatedImage) -> Bool[Tensor, "keypoint"]:
    """Find keypoints that are annotated, finite and inside the image."""
    h, w = image.size
    x, y = image.keypoints.nan_to_num(torch.inf).unbind(-1)
    return image.visible & (x > -0.5) & (y > -0.5) & (x < w - 0.5) & (y < h - 0.5)


def _often_seen(images: Sequence[AnnotatedImage], count: int, flip: tuple[int, ...] | None) -> Tensor:
    """Find keypoints annotated often enough; to a symmetric shape, mirror partners are one point."""
    if not images:
        return torch.zeros(count, dtype=torch.bool)
    count_of = torch.stack([_shown(image) for image in images]).sum(0)
    if flip is not None and sorted(flip) == list(range(count)):
        partner = torch.tensor(flip)
        count_of = torch.where(partner == torch.arange(count), count_of, count_of + count_of[partner])
    return count_of >= MIN_SEEN


def _flip_among(flip: tuple[int, ...] | None, placed: Tensor) -> tuple[int, ...] | None:
    """Renumber the flip table for the placed keypoints; partners are placed together."""
    if flip is None or sorted(flip) != list(range(len(placed))):
        return None
    number = placed.cumsum(0) - 1
    return tuple(int(number[flip[k]]) for k in range(len(placed)) if placed[k])


def _sightings(images: Sequence[AnnotatedImage], cameras: Sequence[Camera], placed: Tensor) -> Sightings:
    points, radii = [], []
    for image, camera in zip(images, cameras, strict=True):
        shown = _shown(image) & placed
        focal = camera.focal.double()
        # Pixels need not be square: in units of the mean focal length both axes agree.
        moved = (image.keypoints.double() - camera.principal_point.double()) / focal * focal.mean()
        moved = torch.where(shown[:, None], moved, 0.0)
        middle = moved.sum(0) / shown.sum()
        radius = ((moved - middle).square().sum(-1)[shown].mean()).sqrt()
        points.append(moved / radius)
        radii.append(radius)
    return Sightings(
        points=torch.stack(points)[:, placed],
        visible=torch.stack([_shown(image) for image in images])[:, placed],
        radius=torch.stack(radii),
        focal=torch.stack([camera.focal.double().mean() for camera in cameras]),
        known=torch.tensor([image.camera is not None for image in images]),
    )
