"""From a data set's image and the chosen providers to an `Observation`: the loader every verb shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Bool
from torch import Tensor

from semcorr_ros import backbones, rendered
from semcorr_ros.artifacts import AnnotatedImage, Camera, DepthMap, Observation
from semcorr_ros.depth import DepthProvider
from semcorr_ros.features import FeatureExtractor, ImageRef
from semcorr_ros.geometry import cameras
from semcorr_ros.masks import MaskProvider
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation
from semcorr_ros.storage import image_size, read_image
from semcorr_ros.zoom import zoomed


@dataclass(frozen=True)
class Providers:
    """Where features, depth and masks come from. The first mask provider with an answer wins."""

    features: FeatureExtractor
    depth: DepthProvider | None = None
    masks: tuple[MaskProvider, ...] = ()
    depth_required: bool = True  # False: an image without a depth file is observed without depth


def observe(
    sample: AnnotatedImage, providers: Providers, model: ClassRepresentation | None = None
) -> Observation:
    """Read one image with everything the providers know about it, on the device of the features.

    `model` lets masks be found by attention. Raises FileNotFoundError or
    ValueError naming the file; callers that work through many images skip and report it. ValueError, too,
    for a class that was built on another backbone.
    """
    if model is not None:
        backbones.check(model, providers.features.backbone)
    image = read_image(sample.image_path)
    if image.shape[:2] != sample.size:
        (h, w), (height, width) = image.shape[:2], sample.size
        raise ValueError(f"{sample.image_path} is {w}x{h} but its annotation says {width}x{height}")
    rendered.warn_of_photograph(providers.features.backbone, sample.image_path)
    ref = ImageRef(image, sample.name, sample.category, path=sample.image_path)
    features = providers.features.encode(ref)
    device = features.values.device
    depth = _depth(sample, providers)
    seen = Observation(
        image=image.to(device),
        features=features,
        depth=None if depth is None else replace(depth, values=depth.values.to(device)),
        camera=_camera(sample, depth, device),
    )
    mask, given = first_mask(providers.masks, sample, seen, model)
    if mask is None:
        return seen
    return zoomed(replace(seen, mask=mask.to(device), mask_is_given=given), ref, providers.features)


def observe_mirrored(sample: AnnotatedImage, seen: Observation, providers: Providers) -> Observation | None:
    """The left/right mirrored `seen`, with features encoded anew (a flipped map would be another one).

    None where the backbone has no mirrored features for this image (precomputed without `_flip`).
    """
    image = seen.image.flip(1)
    ref = ImageRef(image.cpu(), sample.name, sample.category, mirrored=True, path=sample.image_path)
    try:
        features = providers.features.encode(ref)
    except FileNotFoundError:
        return None
    mirrored = Observation(
        image=image,
        features=features,
        mask=None if seen.mask is None else seen.mask.flip(1),
        depth=None if seen.depth is None else replace(seen.depth, values=seen.depth.values.flip(1)),
        camera=None if seen.camera is None else cameras.mirrored(seen.camera),
    )
    return zoomed(mirrored, ref, providers.features)


def lone_image(
    path: str | Path, category: str, depth_path: Path | None = None, camera: Camera | None = None
) -> AnnotatedImage:
    """A picture that belongs to no data set, as a sample without keypoints; its box is all of it.

    Raises FileNotFoundError or ValueError naming the file.
    """
    path = Path(path)
    lone = unannotated(category, image_size(path))
    return replace(lone, name=path.stem, image_path=path, depth_path=depth_path, camera=camera)


def unannotated(category: str, size: tuple[int, int]) -> AnnotatedImage:
    """Pixels of which nothing is known, as a sample: no file, no keypoints, and its box is all of it."""
    return AnnotatedImage(
        name="",
        category=category,
        image_path=Path(),
        size=size,
        keypoints=torch.zeros(0, 2),
        visible=torch.zeros(0, dtype=torch.bool),
        bbox=(0.0, 0.0, size[1] - 1.0, size[0] - 1.0),
    )


def first_mask(
    masks: Sequence[MaskProvider],
    sample: AnnotatedImage,
    seen: Observation,
    model: ClassRepresentation | None,
) -> tuple[Bool[Tensor, "height width"] | None, bool]:
    """Of the first provider with an answer, and whether it is given: not where the class is recognised."""
    for provider in masks:
        mask = provider.mask(sample, seen, model)
        if mask is not None:
            return mask, not getattr(provider, "recognises", False)
    return None, False


def _depth(sample: AnnotatedImage, providers: Providers) -> DepthMap | None:
    if providers.depth is None:
        return None
    try:
        return providers.depth.depth(sample)
    except FileNotFoundError:
        if providers.depth_required:
            raise
        return None


def _camera(sample: AnnotatedImage, depth: DepthMap | None, device: torch.device) -> Camera | None:
    """The data set's, else one with the focal length that the depth network found."""
    camera = sample.camera
    if camera is None and depth is not None and depth.focal is not None:
        camera = cameras.centered(depth.focal, sample.size)
    if camera is None:
        return None
    return Camera(camera.focal.to(device), camera.principal_point.to(device), camera.size)
