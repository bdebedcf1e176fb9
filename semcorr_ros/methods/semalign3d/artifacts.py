"""What SemAlign3D makes of a class and of an image: one frozen dataclass each.

Units and frames as in semcorr_ros/artifacts.py. `L` keypoints, `N` dense points, `C` feature channels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from semcorr_ros.artifacts import Camera, CategoryInfo, Observation, Prototypes
from semcorr_ros.geometry.revolution import axis, sticking_out

FROM_KEYPOINTS = "keypoints"  # where a class that was built without depth has it from (provenance)


@dataclass(frozen=True)
class Views:
    """Training views lifted to 3D, camera frame; mirrored views follow the originals.

    Depths are per-view consistent, but each view has its own unknown scale.
    """

    points: Float[Tensor, "view keypoint 3"]  # 0 where not visible
    visible: Bool[Tensor, "view keypoint"]
    mirrored: Bool[Tensor, "view"]
    names: tuple[str, ...]


@dataclass(frozen=True)
class BetaFamily:
    """Beta(alpha, beta) of one kind of geometric measure over index tuples. Measure in [0, 1]."""

    indices: Int[Tensor, "combination 4"]
    alpha: Float[Tensor, "combination measure"]
    beta: Float[Tensor, "combination measure"]


@dataclass(frozen=True)
class BetaStatistics:
    """Fitted distributions of Eq. 1-2 plus the direction cosines that fix handedness.

    edge_pairs: indices (i, j, k, l) for edges ij and kl; measures (angle / pi, ratio).
    frames: indices (a, b, c, d); measures: the three direction cosines, mapped to [0, 1], of the
    unit vector a->d in the orthonormal frame of triangle abc.
    """

    edge_pairs: BetaFamily
    frames: BetaFamily


@dataclass(frozen=True)
class DenseCloud:
    """Surface points as fixed affine combinations of the keypoints: points = barycentric @ sparse."""

    barycentric: Float[Tensor, "point keypoint"]  # rows sum to 1, mostly zero
    weight: Float[Tensor, "point"]  # share of merged training points in the cluster
    prototypes: Prototypes


@dataclass(frozen=True)
class Coarse:
    """What the same points look like in objects as small as a robot's camera sees them."""

    side: int  # of these objects, pixels
    sparse: Prototypes
    dense: Prototypes


@dataclass(frozen=True)
class ClassRepresentation:
    """A class: what build_class writes and everything online reads. Canonical frame: x front, y
    left, z up where that could be observed; centred on the keypoints, RMS keypoint radius 1."""

    info: CategoryInfo
    sparse: Float[Tensor, "keypoint 3"]
    annotated: Bool[Tensor, "keypoint"]  # False: annotated too rarely to be placed; its row is meaningless
    sparse_prototypes: Prototypes
    dense: DenseCloud
    statistics: BetaStatistics
    shape_modes: Float[Tensor, "mode keypoint 3"]  # principal deviations of the training shapes, one std each
    view_rotations: Float[Tensor, "view 3 3"]  # camera_from_canonical of the training views
    metric_scale: float  # metres per canonical unit (median over training views), 0 = unknown
    backbone: str  # FeatureMap.backbone of the training features
    provenance: dict[str, str]
    coarse: Coarse | None = None

    def seen_at(self, side: float) -> ClassRepresentation:
        """Return the class as objects `side` pixels large show it, the same one every time."""
        return self if self.coarse is None or side > self.coarse.side else self._small

    @cached_property
    def _small(self) -> ClassRepresentation:
        assert self.coarse is not None
        dense = replace(self.dense, prototypes=self.coarse.dense)
        return replace(self, sparse_prototypes=self.coarse.sparse, dense=dense, coarse=None)

    @property
    def surface_measured(self) -> bool:
        """Whether the surface between the keypoints was measured; else it is interpolated between them."""
        return self.provenance.get("depth") != FROM_KEYPOINTS

    @cached_property
    def prototypes(self) -> Prototypes:
        """Prototypes of the annotated keypoints and of the dense points, in one table; they face anywhere."""
        sparse, dense = self.sparse_prototypes.subset(self.annotated), self.dense.prototypes
        names = ("features", "similarity_mean", "similarity_std")
        return Prototypes(*(torch.cat([getattr(sparse, name), getattr(dense, name)]) for name in names))

    def prototypes_at(self, side: float) -> Prototypes:
        """Return the prototypes of objects `side` pixels large."""
        return self.seen_at(side).prototypes

    @cached_property
    def telling(self) -> Bool[Tensor, "point"] | None:
        """Surface points that tell the direction about the upright axis of what else is a body of revolution,
        as a handle does; None for another shape, and for a class without direction."""
        return None if self.info.symmetric else sticking_out(self.dense.barycentric @ self.sparse)

    @cached_property
    def axis(self) -> Float[Tensor, "3"]:
        """A point (x, y, 0) of the upright axis of a body of revolution."""
        return axis(self.dense.barycentric @ self.sparse)

    @property
    def diameter(self) -> float:
        """Diagonal of the class's box in metres; 0 = unknown."""
        surface = self.dense.barycentric @ self.sparse
        return float((surface.amax(0) - surface.amin(0)).norm()) * self.metric_scale


@dataclass(frozen=True)
class Alignment:
    """The class placed in front of the camera; rows are hypotheses, best first."""

    keypoints: Float[Tensor, "hypothesis keypoint 3"]  # camera frame, in depth units
    dense: Float[Tensor, "hypothesis point 3"]
    rotation: Float[Tensor, "hypothesis 3 3"]  # camera_from_canonical, rigid
    translation: Float[Tensor, "hypothesis 3"]
    scale: Float[Tensor, "hypothesis"]  # depth units per canonical unit
    focal: Float[Tensor, "hypothesis"]  # pixels
    energy: Float[Tensor, "hypothesis"]  # unitless, lower is better
    energy_by_term: dict[str, Float[Tensor, "hypothesis"]]  # unweighted, keyed by term file name
    confidence: Float[Tensor, "hypothesis"]  # [0, 1]
    camera: Camera  # of the best hypothesis
    metric: bool  # True: depth units are metres


@dataclass(frozen=True)
class View:
    """An observation and the class aligned to it."""

    seen: Observation
    aligned: Alignment
