"""observe -> align -> transfer: the page to read second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from semcorr_ros import backbones
from semcorr_ros.artifacts import Camera, Correspondences, DepthMap, FeatureMap, Observation
from semcorr_ros.geometry import distortion
from semcorr_ros.masks import MaskProvider, attention
from semcorr_ros.matching import View, aligned
from semcorr_ros.matching._placed_points import PlacedPoints, locate
from semcorr_ros.methods.semalign3d import alignment
from semcorr_ros.methods.semalign3d.alignment import AlignmentConfig
from semcorr_ros.methods.semalign3d.artifacts import Alignment, ClassRepresentation
from semcorr_ros.observations import first_mask, unannotated

ATTENTION: tuple[MaskProvider, ...] = (attention.build(attention.Config()),)


@dataclass(frozen=True)
class Extras:
    """What is known of an image beyond its pixels."""

    mask: Bool[Tensor, "height width"] | None = None
    depth: DepthMap | None = None
    camera: Camera | None = None


def observe(
    model: ClassRepresentation,
    image: UInt8[Tensor, "height width 3"],
    features: FeatureMap,
    extras: Extras,
    masks: Sequence[MaskProvider] = ATTENTION,
) -> Observation:
    """An image with its features; without a mask, the object is what the first of `masks` with an answer
    says. By default that is where they resemble the class, and with metric depth and a camera, the surface
    that is found there.

    Raises ValueError if nothing in the image does, or if the class was built on another backbone.
    """
    backbones.check(model, features.backbone)
    seen = Observation(image, features, extras.mask, extras.depth, extras.camera)
    if seen.mask is not None:
        return replace(seen, mask_is_given=True)
    mask, given = first_mask(masks, unannotated(model.info.name, features.image_size), seen, model)
    if mask is None or not mask.any():
        raise ValueError(f"nothing in the image looks like the class {model.info.name!r}")
    return replace(seen, mask=mask.to(features.values.device), mask_is_given=given)


def align(
    model: ClassRepresentation,
    seen: Observation,
    config: AlignmentConfig,
    generator: torch.Generator,
    on_step: alignment.StepCallback | None = None,
) -> Alignment:
    """Place the class in front of the camera; best hypothesis first."""
    return alignment.align(model, seen, config, generator, on_step)


def transfer_keypoints(
    model: ClassRepresentation, target: Observation, found: Alignment, ids: Int[Tensor, "point"]
) -> Correspondences:
    """Where the class's own keypoints are in an aligned image."""
    placed = PlacedPoints(found.keypoints[0, ids], model.sparse_prototypes.features[ids])
    return _in_original(locate(placed, View(target, found), aligned.SIGMA), target)


def transfer_points(
    model: ClassRepresentation, source: View, target: View, points: Float[Tensor, "point 2"]
) -> Correspondences:
    """Where arbitrary source pixels are in the target; both views carry their alignment.

    Pixels are those of the original images, also where these were rectified.
    """
    if source.seen.lens is not None:
        points = distortion.to_ideal(points, source.seen.lens)
    return _in_original(aligned.match(model, source, target, points), target.seen)


def _in_original(found: Correspondences, seen: Observation) -> Correspondences:
    if seen.lens is None:
        return found
    return replace(found, points=distortion.to_image(found.points, seen.lens))
