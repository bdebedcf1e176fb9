"""A SemAlign3D class as a `Model`, and where it has been aligned as a `Placed`."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semcorr_ros.artifacts import CategoryInfo, Correspondences, Observation, Pose, Prototypes
from semcorr_ros.errors import NotFoundError
from semcorr_ros.geometry.boxes import box_of
from semcorr_ros.methods import Placed, Search, Shape
from semcorr_ros.methods.semalign3d import alignment
from semcorr_ros.methods.semalign3d.alignment.tracking import Tracker
from semcorr_ros.methods.semalign3d.alignment_file import read_alignment, write_alignment
from semcorr_ros.methods.semalign3d.artifacts import Alignment, ClassRepresentation, View
from semcorr_ros.methods.semalign3d.matching import carry, direction, paper
from semcorr_ros.methods.semalign3d.matching.placed_points import PlacedPoints, locate, unknown
from semcorr_ros.methods.semalign3d.matching.uncertainty import pose_covariance
from semcorr_ros.methods.semalign3d.matching_config import MatchingConfig

MATCHERS = {"aligned": carry, "paper": paper}


@dataclass(frozen=True)
class Aligned:
    """A class aligned to an observation."""

    representation: ClassRepresentation
    seen: Observation
    aligned: Alignment
    tracker: Tracker | None = None
    matching: MatchingConfig = field(default_factory=MatchingConfig)
    judges: bool = True

    @property
    def confidence(self) -> float:
        return float(self.aligned.confidence[0])

    @cached_property
    def pose(self) -> Pose:
        """Pose, scale and extent of the best hypothesis."""
        found = self.aligned
        rotation, translation = found.rotation[0], found.translation[0]
        in_class_axes = (found.dense[0] - translation) @ rotation
        return Pose(
            rotation=rotation,
            translation=translation,
            scale=float(found.scale[0]),
            size=in_class_axes.amax(0) - in_class_axes.amin(0),
            metric=bool(found.metric),
            covariance=pose_covariance(self.representation, found, self.directed) if found.metric else None,
        )

    @cached_property
    def directed(self) -> bool:
        """Whether the direction about the upright axis is seen."""
        return direction.direction_is_seen(self.representation, self.aligned)

    @property
    def caveat(self) -> str:
        return "" if self.directed else direction.UNKNOWN

    @property
    def shape(self) -> Shape:
        model = self.representation
        return Shape(
            keypoints=self.aligned.keypoints[0],
            surface=self.aligned.dense[0],
            canonical=model.dense.barycentric @ model.sparse,
            known=tuple(model.annotated.tolist()),
            camera=self.aligned.camera,
        )

    @property
    def facts(self) -> dict[str, Any]:
        """Energy of the best hypothesis, by term too, and its focal lengths in pixels."""
        found = self.aligned
        return {
            "energy": float(found.energy[0]),
            "energy_by_term": {name: float(values[0]) for name, values in found.energy_by_term.items()},
            "focal_px": found.camera.focal.tolist(),
        }

    def keypoints(self, ids: Int[Tensor, "point"]) -> Correspondences:
        """Locate keypoints of the class, pixels of the rectified image."""
        ids = ids.to(self.aligned.keypoints.device)
        features = self.representation.sparse_prototypes.features[ids]
        placed = PlacedPoints(self.aligned.keypoints[0, ids], features)
        ours = MatchingConfig().sigma  # Eq. 14 is about pairs: a class's own keypoints are found in one way
        found = locate(self.representation, placed, self._view, ours)
        if self.directed:
            return found
        return unknown(found, direction.turns_with_it(placed.xyz, self.representation, self.aligned))

    def carry(self, points: Float[Tensor, "point 2"], target: Aligned) -> Correspondences:
        """Carry pixels over to where the class is aligned to another image (Eq. 14)."""
        match, sigma = MATCHERS[self.matching.matcher], self.matching.sigma
        found = match.carry(self.representation, self._view, target._view, points, sigma)
        return found if self.directed and target.directed else unknown(found)

    def similarity(
        self, points: Float[Tensor, "point 2"], target: Aligned
    ) -> Float[Tensor, "point height width"]:
        """Rate the target's cells by p_spatial p_sem (Eq. 14)."""
        match, sigma = MATCHERS[self.matching.matcher], self.matching.sigma
        return match.similarity(self.representation, self._view, target._view, points, sigma)

    @property
    def _view(self) -> View:
        return View(self.seen, self.aligned)


def _side(seen: Observation) -> float:
    """Return the longer side of the object's outline in pixels; infinite without one."""
    return math.inf if seen.mask is None or not seen.mask.any() else float(max(box_of(seen.mask)[2:]))


@dataclass(frozen=True)
class SemAlign3D:
    """A class and the constants that it is aligned with."""

    representation: ClassRepresentation
    settings: alignment.AlignmentConfig
    tracks: bool = False  # start at the last picture's placement
    recognizes: bool = True

    @property
    def info(self) -> CategoryInfo:
        return self.representation.info

    @property
    def backbone(self) -> str:
        return self.representation.backbone

    @property
    def provenance(self) -> dict[str, str]:
        return self.representation.provenance

    @property
    def prototypes(self) -> Prototypes:
        """Features that the class is recognised by."""
        return self.representation.prototypes

    def prototypes_at(self, side: float) -> Prototypes:
        """Features that objects `side` pixels large are recognised by."""
        return self.representation.prototypes_at(side)

    @cached_property
    def diameter(self) -> float:
        """Largest extent in metres; 0 = unknown."""
        return self.representation.diameter

    @property
    def metric_scale(self) -> float:
        return float(self.representation.metric_scale)

    @cached_property
    def known(self) -> tuple[str, ...]:
        """Names of the keypoints that were ever annotated."""
        names = zip(self.info.keypoint_names, self.representation.annotated.tolist(), strict=True)
        return tuple(name for name, annotated in names if annotated)

    def of(self, category: str) -> SemAlign3D:
        """Return the model itself: its file holds one class."""
        return self

    def with_size(self, metric_scale: float) -> SemAlign3D:
        """Return the same class with another number of metres per canonical unit."""
        return replace(self, representation=replace(self.representation, metric_scale=metric_scale))

    def place(self, seen: Observation, search: Search) -> Aligned:
        """Align the class. Raises NotFoundError, BackboneMismatchError."""
        model = self.representation.seen_at(_side(seen))
        found = alignment.align(model, seen, self.settings, search.generator, search.on_step)
        return self._checked(Aligned(model, seen, found, matching=self.settings.matching))

    def follow(self, seen: Observation, last: Placed | None, search: Search) -> Aligned:
        """Align the class from where it was last, if its settings say so. Raises NotFoundError."""
        if not self.tracks:
            return self.place(seen, search)
        model = self.representation.seen_at(_side(seen))
        tracker = last.tracker if isinstance(last, Aligned) and last.representation is model else None
        if tracker is None:
            tracker = Tracker(model, self.settings)
        found = tracker.update(seen, search.generator, search.on_step)
        return self._checked(Aligned(model, seen, found, tracker, self.settings.matching))

    def store(self, path: Path, placed: Placed) -> None:
        """Write the alignment as a safetensors file, atomically."""
        assert isinstance(placed, Aligned)
        write_alignment(path, placed.aligned)

    def restore(self, path: Path, seen: Observation) -> Aligned | None:
        """Read what `store` wrote; None without a file. Raises ValueError for a damaged one."""
        if not path.is_file():
            return None
        found = read_alignment(path, str(seen.features.values.device))
        model = self.representation.seen_at(_side(seen))
        return Aligned(model, seen, found, matching=self.settings.matching)

    def _checked(self, placed: Aligned) -> Aligned:
        found = placed.aligned
        if not (torch.isfinite(found.keypoints[0]).all() and torch.isfinite(found.confidence[0])):
            raise NotFoundError(f"the alignment of class {self.info.name!r} diverged")
        return placed
