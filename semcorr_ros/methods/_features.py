"""Methods that compare features and use no class: the usual baselines as `Method`, `Model` and `Placed`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semcorr_ros.artifacts import CategoryInfo, Correspondences, FeatureMap, Observation, Pose, Prototypes
from semcorr_ros.geometry import grid
from semcorr_ros.methods import Method, Model, Placed, Quality, Search, Shape, load

# Carry points (n, 2) of one feature map over to another one.
Match = Callable[[FeatureMap, FeatureMap, Float[Tensor, "point 2"]], Correspondences]


@dataclass(frozen=True)
class Unplaced:
    """An observation whose features are compared."""

    seen: Observation
    match: Match
    confidence: float = 1.0
    judges: bool = False
    pose: Pose | None = None
    shape: Shape | None = None

    @property
    def facts(self) -> dict[str, Any]:
        return {}

    @property
    def caveat(self) -> str:
        return ""

    def keypoints(self, ids: Int[Tensor, "point"]) -> Correspondences:
        """Raises ValueError: no class, no keypoints."""
        raise ValueError("a method that compares features knows no keypoints of a class: give points")

    def carry(self, points: Float[Tensor, "point 2"], target: Unplaced) -> Correspondences:
        """Find the target's cells that are most similar to pixels of this image."""
        return self.match(self.seen.features, target.seen.features, points)

    def similarity(
        self, points: Float[Tensor, "point 2"], target: Unplaced
    ) -> Float[Tensor, "point height width"]:
        """Rate the target's cells by cosine similarity."""
        return cosine_similarity(self.seen.features, target.seen.features, points)


@dataclass(frozen=True)
class FeatureModel:
    """Nothing but features; a class, where one is given, only says where the object is."""

    match: Match
    recognizer: Model | None = None
    diameter: float = 0.0
    metric_scale: float = 0.0
    known: tuple[str, ...] = ()

    @property
    def recognizes(self) -> bool:
        return self.recognizer is not None

    @property
    def info(self) -> CategoryInfo:
        return CategoryInfo(self.recognizer.info.name if self.recognizer else "", (), None)

    @property
    def backbone(self) -> str:
        return self.recognizer.backbone if self.recognizer else ""

    @property
    def provenance(self) -> dict[str, str]:
        return self.recognizer.provenance if self.recognizer else {}

    @property
    def prototypes(self) -> Prototypes:
        """Raises ValueError where no class is given."""
        if self.recognizer is None:
            raise ValueError("a method that compares features recognises no class")
        return self.recognizer.prototypes

    def prototypes_at(self, side: float) -> Prototypes:
        """Raises ValueError where no class is given."""
        return self.prototypes if self.recognizer is None else self.recognizer.prototypes_at(side)

    def of(self, category: str) -> FeatureModel:
        """Return the same for every category, but let that of the recognizer be chosen."""
        recognizer = None if self.recognizer is None else self.recognizer.of(category)
        return replace(self, recognizer=recognizer)

    def with_size(self, metric_scale: float) -> FeatureModel:
        """Return the model itself: it has no size."""
        return self

    def place(self, seen: Observation, search: Search) -> Unplaced:
        """Take the observation as it is."""
        return Unplaced(seen, self.match)

    def follow(self, seen: Observation, last: Placed | None, search: Search) -> Unplaced:
        """Take the observation as it is."""
        return Unplaced(seen, self.match)

    def store(self, path: Path, placed: Placed) -> None:
        """Write nothing: nothing was computed."""

    def restore(self, path: Path, seen: Observation) -> Unplaced:
        """Take the observation as it is."""
        return Unplaced(seen, self.match)


def method(match: Match) -> Method:
    """Make a method of a way of comparing features."""

    def load_model(path: Path | None, device: str, quality: Quality) -> FeatureModel:
        return FeatureModel(match, None if path is None else load(path, device, quality))

    return Method(load_model, lambda quality: None, needs_class=False)


def cosine_similarity(
    source: FeatureMap, target: FeatureMap, points: Float[Tensor, "point 2"]
) -> Float[Tensor, "point height width"]:
    """Compute the similarity of source pixels to every target cell."""
    query = grid.features_at(source, points.to(target.values))
    return torch.einsum("pc,hwc->phw", query, target.values)
