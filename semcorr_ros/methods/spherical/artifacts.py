"""What a spherical class is, and a picture that it has been mapped in."""

from __future__ import annotations

from dataclasses import dataclass, field

from jaxtyping import Bool, Float
from torch import Tensor

from semcorr_ros.artifacts import CategoryInfo, Prototypes
from semcorr_ros.features._sphere_mapper import HeadConfig, SphereMapper
from semcorr_ros.methods.spherical.config import MatchConfig


@dataclass(frozen=True)
class Keypoints:
    """How the keypoints of a category look in its training pictures, and where they lie on the sphere."""

    features: Float[Tensor, "keypoint channel"]  # mean, unit norm
    spheres: Float[Tensor, "keypoint 3"]  # mean direction, unit norm
    annotated: Bool[Tensor, "keypoint"]  # ever
    # Rows of a logistic curve: P(seen) = sigmoid(slope * similarity + offset).
    slope: Float[Tensor, "keypoint"]
    offset: Float[Tensor, "keypoint"]


@dataclass(frozen=True)
class Category:
    """One category of a class file."""

    info: CategoryInfo
    keypoints: Keypoints
    recognized_by: Prototypes


@dataclass(frozen=True)
class SphereClasses:
    """A mapper and the categories it was trained on."""

    mapper: SphereMapper
    matching: MatchConfig
    categories: tuple[Category, ...]
    backbone: str  # FeatureMap.backbone of the training features
    provenance: dict[str, str] = field(default_factory=dict)

    @property
    def head(self) -> HeadConfig:
        return self.mapper.config

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the categories, in their order."""
        return tuple(category.info.name for category in self.categories)
