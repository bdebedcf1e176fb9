"""The little that is kept of an image while a class is built, so that images can be streamed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from semcorr_ros.artifacts import AnnotatedImage, Camera, DepthMap, FeatureMap
from semcorr_ros.geometry.grid import features_at
from semcorr_ros.geometry.neighborhood import maximum_around
from semcorr_ros.methods.semalign3d.building.config import BuildConfig
from semcorr_ros.methods.semalign3d.building.keypoint_depth import keypoint_depths, usable_pixels

MIN_KEYPOINTS = 3  # fewer do not fix a similarity


@dataclass(frozen=True)
class Sample:
    """One annotated image with its evidence."""

    annotated: AnnotatedImage
    features: FeatureMap
    depth: DepthMap
    mask: Bool[Tensor, "height width"]
    mirrored_features: FeatureMap | None = None  # encoded from the mirrored image
    # The same of the object as small as a robot's camera sees it.
    coarse_features: FeatureMap | None = None
    mirrored_coarse_features: FeatureMap | None = None


@dataclass(frozen=True)
class LazySample:
    """A name and how to load it; loading may raise FileNotFoundError or ValueError."""

    name: str
    load: Callable[[], Sample]


@dataclass(frozen=True)
class Look:
    """Features of one picture of a view."""

    features: Float[Tensor, "keypoint channel"]  # 0 where not annotated
    mirrored_features: Float[Tensor, "keypoint channel"] | None  # of the annotated keypoint, not yet permuted
    surface_features: Float[Tensor, "point channel"]  # float16
    mirrored_surface_features: Float[Tensor, "point channel"] | None


@dataclass(frozen=True)
class Evidence:
    """One original view. Depths in the image's own unit; mirrored features belong to the same places."""

    name: str
    size: tuple[int, int]  # (h, w)
    camera: Camera | None  # None: focal length still to be estimated
    metric: bool
    pixels: Float[Tensor, "keypoint 2"]  # NaN where not annotated
    depths: Float[Tensor, "keypoint"]  # 0 where unknown
    features: Float[Tensor, "keypoint channel"]  # 0 where not annotated
    mirrored_features: Float[Tensor, "keypoint channel"] | None  # of the annotated keypoint, not yet permuted
    surface_pixels: Float[Tensor, "point 2"]
    surface_depths: Float[Tensor, "point"]
    surface_features: Float[Tensor, "point channel"]  # float16
    mirrored_surface_features: Float[Tensor, "point channel"] | None
    coarse: Look | None = None  # None: the picture is small already

    @property
    def looks(self) -> tuple[Look, ...]:
        """Return the features of the view, and of its coarse copy."""
        own = Look(
            self.features, self.mirrored_features, self.surface_features, self.mirrored_surface_features
        )
        return (own,) if self.coarse is None else (own, self.coarse)


def check_sample(sample: Sample) -> None:
    """Check a sample. Raises ValueError if its parts do not belong to one image."""
    size = tuple(sample.annotated.size)
    for what, got in (
        ("depth map", tuple(sample.depth.values.shape)),
        ("feature map", tuple(sample.features.image_size)),
        ("mask", tuple(sample.mask.shape)),
    ):
        if got != size:
            raise ValueError(
                f"the {what} is of a {got[1]} x {got[0]} image, the image is {size[1]} x {size[0]}"
            )
    for features in (
        sample.features, sample.mirrored_features, sample.coarse_features, sample.mirrored_coarse_features
    ):  # fmt: skip
        if features is not None and not torch.isfinite(features.values).all():
            raise ValueError("the feature map holds values that are not finite")


def annotated_pixels(sample: Sample) -> Float[Tensor, "keypoint 2"]:
    """Keep annotated keypoints that lie in the image, NaN for the others."""
    h, w = sample.annotated.size
    points = sample.annotated.keypoints.float()
    inside = (points > -0.5).all(-1) & (points[:, 0] < w - 0.5) & (points[:, 1] < h - 0.5)
    keep = sample.annotated.visible & inside
    return torch.where(keep[:, None], points, torch.nan)


def keypoint_features(
    features: FeatureMap, pixels: Float[Tensor, "keypoint 2"]
) -> Float[Tensor, "keypoint channel"]:
    """Read unit features at the annotated pixels, zero rows elsewhere."""
    known = torch.isfinite(pixels).all(-1, keepdim=True)
    return features_at(features, pixels.nan_to_num()) * known


def observe(sample: Sample, config: BuildConfig, generator: torch.Generator) -> Evidence:
    """Reduce an image to what the build needs. Raises ValueError saying why it is unusable."""
    depth, mask = sample.depth.values.float(), sample.mask
    usable = usable_pixels(depth, mask)
    if not mask.any():
        raise ValueError("the object mask is empty")
    if usable.sum() < 0.05 * mask.sum():
        raise ValueError("the depth map is invalid (0 or not finite) on the object")
    pixels = annotated_pixels(sample)
    depths = keypoint_depths(depth, usable, pixels, config)
    if (depths > 0).sum() < MIN_KEYPOINTS:
        annotated = int(torch.isfinite(pixels).all(-1).sum())
        raise ValueError(
            f"{int((depths > 0).sum())} of {annotated} annotated keypoints have depth, 3 are needed"
        )
    surface = _surface_pixels(depth, usable, config, generator)
    return Evidence(
        name=sample.annotated.name,
        size=sample.annotated.size,
        camera=sample.annotated.camera,
        metric=sample.depth.metric,
        pixels=pixels,
        depths=depths,
        surface_pixels=surface.float(),
        surface_depths=depth[surface[:, 1], surface[:, 0]],
        coarse=None if sample.coarse_features is None else Look(**_look(sample, pixels, surface, True)),
        **_look(sample, pixels, surface, False),
    )


def _look(sample: Sample, pixels: Tensor, surface: Tensor, coarse: bool) -> dict[str, Any]:
    """Read the features of a view at keypoints and surface pixels: the fields of `Look`."""
    features = sample.coarse_features if coarse else sample.features
    mirrored = sample.mirrored_coarse_features if coarse else sample.mirrored_features
    assert features is not None
    width = sample.annotated.size[1]
    return {
        "features": keypoint_features(features, pixels),
        "mirrored_features": _mirrored(mirrored, pixels, width),
        "surface_features": keypoint_features(features, surface.float()).half(),
        "mirrored_surface_features": _half(_mirrored(mirrored, surface.float(), width)),
    }


def _mirrored(features: FeatureMap | None, pixels: Tensor, width: int) -> Tensor | None:
    if features is None:
        return None
    x, y = pixels.unbind(-1)
    return keypoint_features(features, torch.stack([width - 1 - x, y], -1))


def _half(values: Tensor | None) -> Tensor | None:
    return None if values is None else values.half()


def _surface_pixels(depth: Tensor, usable: Tensor, config: BuildConfig, generator: torch.Generator) -> Tensor:
    """Draw usable pixels (P, 2) away from depth steps, where two surfaces mix."""
    solid = usable & (_relief(depth, usable) <= config.depth_edge * _range(depth[usable]))
    rows, columns = (solid if solid.sum() >= 0.25 * usable.sum() else usable).nonzero(as_tuple=True)
    chosen = torch.randperm(len(rows), generator=generator)[: config.surface_points].sort().values
    return torch.stack([columns[chosen], rows[chosen]], -1)


def _range(values: Tensor) -> float:
    return float(values.max() - values.min())


def _relief(depth: Tensor, usable: Tensor) -> Tensor:
    """Subtract the smallest from the largest usable depth in every 3 x 3 neighborhood."""
    stacked = torch.stack([torch.where(usable, s * depth, -torch.inf) for s in (1.0, -1.0)])
    high, low = maximum_around(stacked, 1)
    return torch.where(usable, high + low, torch.inf)
