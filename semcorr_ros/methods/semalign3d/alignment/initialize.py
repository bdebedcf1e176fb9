"""Choose where the optimisation starts: rotations and focal lengths, placed where the object is seen."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.geometry import rotations
from semcorr_ros.methods.semalign3d.alignment.optimize import best_distinct
from semcorr_ros.methods.semalign3d.alignment.state import Evidence
from semcorr_ros.methods.semalign3d.alignment.terms.depth import SURFACE_TO_CENTER
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation


@dataclass(frozen=True)
class InitializeConfig:
    """How the starts are chosen."""

    count: int = 16
    focals: tuple[float, ...] = (10.0, 5.0, 2.5, 1.25)  # longer sides of the image; for unknown cameras
    scored: bool = True  # False: random rotations, as in the paper
    spread_rotations: int = 160  # evenly spread rotations among the candidates
    sigma: float = 0.1  # of p_spatial when candidates are scored
    samples: int = 192  # image points used for scoring
    separation_deg: float = 25.0  # starts of the same focal length are at least this far apart


@dataclass(frozen=True)
class Starts:
    """Similarity hypotheses: camera_from_canonical in working units."""

    rotation: Float[Tensor, "hypothesis 3 3"]
    translation: Float[Tensor, "hypothesis 3"]
    focal: Float[Tensor, "hypothesis"]  # normalized
    surface_depth: Float[Tensor, "hypothesis"]  # working units
    modes: Float[Tensor, "hypothesis mode"] | None = None  # standard deviations; None: the mean shape
    residual: Float[Tensor, "hypothesis keypoint 3"] | None = None  # canonical units

    def shape(self, model: ClassRepresentation) -> Float[Tensor, "hypothesis keypoint 3"]:
        """Compute the keypoints in the canonical frame."""
        count = len(self.focal)
        shape = model.sparse.expand(count, -1, -1)
        if self.modes is not None:
            shape = shape + torch.einsum("bm,mld->bld", self.modes, model.shape_modes)
        return shape if self.residual is None else shape + self.residual


# Dense reconstruction likelihood (candidate,) of the undeformed class at the starts.
Score = Callable[[ClassRepresentation, Evidence, Starts, float, int], Tensor]


def choose_starts(
    model: ClassRepresentation,
    evidence: Evidence,
    config: InitializeConfig,
    generator: torch.Generator,
    score: Score,
) -> Starts:
    """Choose `count` starts, shared equally between the focal lengths in question.

    score(model, evidence, candidate starts, sigma, samples): see engine.Engine.
    """
    if evidence.focal is None:
        focals = tuple(focal * evidence.frame.image for focal in config.focals)
    else:
        focals = (evidence.focal,)
    per_focal = max(1, config.count // len(focals))
    chosen = [
        _starts_of_focal(model, evidence, config, (focal, per_focal), generator, score) for focal in focals
    ]
    return place(torch.cat(chosen), torch.tensor(focals).repeat_interleave(per_focal).to(chosen[0]), evidence)


def place(
    rotation: Float[Tensor, "hypothesis 3 3"], focal: Float[Tensor, "hypothesis"], evidence: Evidence
) -> Starts:
    """Put the class, at scale 1, where its RMS radius projects to the object's."""
    surface = focal * math.sqrt(2 / 3) / evidence.radius
    depth = surface + SURFACE_TO_CENTER
    xy = evidence.center / focal[:, None] * depth[:, None]
    return Starts(rotation, torch.cat([xy, depth[:, None]], -1), focal, surface)


def _starts_of_focal(
    model: ClassRepresentation,
    evidence: Evidence,
    config: InitializeConfig,
    wanted: tuple[float, int],
    generator: torch.Generator,
    score: Score,
) -> Float[Tensor, "start 3 3"]:
    device, (focal, count) = model.sparse.device, wanted
    if not config.scored:
        return rotations.from_quaternion(torch.randn(count, 4, generator=generator)).to(device)
    candidates = _candidates(model, config)
    starts = place(candidates, torch.full((len(candidates),), focal).to(candidates), evidence)
    scores = score(model, evidence, starts, config.sigma, config.samples)
    return candidates[best_distinct(candidates, -scores, count, config.separation_deg)]


def _candidates(model: ClassRepresentation, config: InitializeConfig) -> Float[Tensor, "candidate 3 3"]:
    """Collect the training viewpoints, upright viewpoints all round, and evenly spread rotations."""
    spread = rotations.super_fibonacci(config.spread_rotations).to(model.sparse)
    return torch.cat([model.view_rotations, _upright_views().to(model.sparse), spread])


def _upright_views() -> Float[Tensor, "view 3 3"]:
    """Compute camera_from_canonical for cameras all round an object whose z axis points up."""
    azimuth = torch.arange(0, 360, 30).deg2rad()
    elevation = torch.tensor([-10.0, 20.0, 45.0, 70.0]).deg2rad()
    a, e = (grid.reshape(-1) for grid in torch.meshgrid(azimuth, elevation, indexing="ij"))
    back = torch.stack([a.cos() * e.cos(), a.sin() * e.cos(), e.sin()], -1)  # object to camera
    right = torch.stack([-a.sin(), a.cos(), torch.zeros_like(a)], -1)
    down = torch.linalg.cross(-back, right)
    return torch.stack([right, down, -back], -2)
