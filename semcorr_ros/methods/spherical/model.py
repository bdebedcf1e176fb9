"""A spherical class as a `Model`, and where it has been mapped as a `Placed`: 2D, no pose."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from semcorr_ros import backbones
from semcorr_ros.artifacts import CategoryInfo, Correspondences, KeypointState, Observation, Prototypes
from semcorr_ros.features._sphere_mapper import map_sphere
from semcorr_ros.geometry import grid
from semcorr_ros.methods import Placed, Search
from semcorr_ros.methods.spherical.artifacts import Category, SphereClasses
from semcorr_ros.methods.spherical.matching import (
    Mapping,
    Query,
    as_score,
    best_cells,
    only_inside,
    similarity,
)

SEEN = 0.5  # score from which a keypoint counts as seen
SHOWN = 0.5  # share of a class's keypoints that a picture of it shows: the better half makes the confidence
NO_POSE = "keypoints are found in the picture, their depth is the sensor's: a spherical class has no pose"


@dataclass(frozen=True)
class Mapped:
    """A picture and the place of its cells on the sphere."""

    classes: SphereClasses
    category: Category | None
    seen: Observation
    spheres: Float[Tensor, "h w 3"]
    pose: None = None
    shape: None = None
    caveat: str = NO_POSE

    @property
    def judges(self) -> bool:
        """Whether there are keypoints to judge by."""
        return self.category is not None and bool(self.category.keypoints.annotated.any())

    @cached_property
    def confidence(self) -> float:
        """Mean score of the better half of the keypoints; 1 for a class without keypoints."""
        if self.category is None or not self.judges:
            return 1.0
        known = self.category.keypoints.annotated.nonzero()[:, 0]
        scores = self.keypoints(known).score.sort(descending=True).values
        return float(scores[: max(1, round(SHOWN * len(scores)))].mean())

    @property
    def facts(self) -> dict[str, Any]:
        """Say the mean direction of the map: about where the camera is, seen from the object."""
        on = self.spheres[self._outline] if self._outline.any() else self.spheres.flatten(0, 1)
        mean = torch.nn.functional.normalize(on.sum(0), dim=-1)
        return {"mean_direction": [round(float(v), 4) for v in mean]}

    def keypoints(self, ids: Int[Tensor, "point"]) -> Correspondences:
        """Find keypoints of the class; UNKNOWN where the picture does not seem to show them."""
        if self.category is None:
            raise ValueError("a mapper alone knows no keypoints of a class: give points")
        known = self.category.keypoints
        ids = ids.to(known.features.device)
        query = Query(known.features[ids], known.spheres[ids])
        found, rated = best_cells(self._rate(query), self.seen)
        score = torch.sigmoid(known.slope[ids] * rated + known.offset[ids])
        score = torch.where(known.annotated[ids], score, 0.0)
        unseen = score < SEEN
        state = torch.where(unseen, int(KeypointState.UNKNOWN), found.state)
        xyz = torch.where(unseen[:, None], torch.nan, found.xyz)
        return replace(found, score=score, state=state, xyz=xyz)

    def carry(self, points: Float[Tensor, "point 2"], target: Mapped) -> Correspondences:
        """Carry pixels over by features and spheres (Eq. 7)."""
        found, rated = best_cells(self.similarity(points, target), target.seen)
        return replace(found, score=as_score(rated, self.classes.matching))

    def similarity(self, points: Float[Tensor, "point 2"], target: Mapped) -> Float[Tensor, "point h w"]:
        """Rate the target's cells by features and spheres (Eq. 7)."""
        points = points.to(self.seen.features.values)
        cells = replace(self.seen.features, values=self.spheres)
        query = Query(grid.features_at(self.seen.features, points), grid.features_at(cells, points))
        return target._rate(query)

    def _rate(self, query: Query) -> Float[Tensor, "point h w"]:
        mapping, how = Mapping(self.seen.features.values, self.spheres), self.classes.matching
        rated = similarity(query, mapping, how)
        return only_inside(rated, self._outline) if how.inside else rated

    @cached_property
    def _outline(self) -> Bool[Tensor, "h w"]:
        """Cells on the object; none where its outline is not known."""
        if self.seen.mask is None:
            return torch.zeros_like(self.spheres[..., 0], dtype=torch.bool)
        return grid.cells_of(self.seen.mask, self.seen.features)


@dataclass(frozen=True)
class Spherical:
    """A mapper, and one of the categories of its file; without one it maps any picture."""

    classes: SphereClasses
    category: Category | None
    diameter: float = 0.0
    metric_scale: float = 0.0

    @property
    def info(self) -> CategoryInfo:
        return self.category.info if self.category else CategoryInfo("", (), None)

    @property
    def backbone(self) -> str:
        return self.classes.backbone

    @property
    def provenance(self) -> dict[str, str]:
        return self.classes.provenance

    @property
    def recognizes(self) -> bool:
        return self.category is not None and len(self.category.recognized_by.features) > 0

    @property
    def prototypes(self) -> Prototypes:
        """Raises ValueError for a category that the mapper was not trained on."""
        if self.category is None:
            raise ValueError(f"the mapper of {', '.join(self.classes.names)} recognises no other class")
        return self.category.recognized_by

    def prototypes_at(self, side: float) -> Prototypes:
        """Return the same features for objects of every size."""
        return self.prototypes

    @cached_property
    def known(self) -> tuple[str, ...]:
        """Names of the keypoints that were ever annotated."""
        if self.category is None:
            return ()
        pairs = zip(self.info.keypoint_names, self.category.keypoints.annotated.tolist(), strict=True)
        return tuple(name for name, annotated in pairs if annotated)

    def of(self, category: str) -> Spherical:
        """Choose a category of the file; one that it does not hold is mapped all the same, without
        keypoints."""
        found = next((one for one in self.classes.categories if one.info.name == category), None)
        return replace(self, category=found)

    def with_size(self, metric_scale: float) -> Spherical:
        """Return the model itself: it has no size."""
        return self

    def place(self, seen: Observation, search: Search) -> Mapped:
        """Map the picture. Raises BackboneMismatchError."""
        backbones.check(self, seen.features.backbone)
        return Mapped(self.classes, self.category, seen, map_sphere(self.classes.mapper, seen.features))

    def follow(self, seen: Observation, last: Placed | None, search: Search) -> Mapped:
        """Map the picture; the last one is not needed."""
        return self.place(seen, search)

    def store(self, path: Path, placed: Placed) -> None:
        """Write nothing: mapping costs little."""

    def restore(self, path: Path, seen: Observation) -> Mapped:
        """Map the picture."""
        return self.place(seen, Search(torch.Generator()))
