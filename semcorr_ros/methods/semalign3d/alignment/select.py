"""Rank the optimised hypotheses: final energy plus the two checks of SemAlign3D, Section 4.1."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.geometry.similarity import fit_similarity
from semcorr_ros.methods.semalign3d.alignment import confidence, objective
from semcorr_ros.methods.semalign3d.alignment.confidence import ConfidenceConfig
from semcorr_ros.methods.semalign3d.alignment.objective import ObjectiveConfig
from semcorr_ros.methods.semalign3d.alignment.optimize import Optimized
from semcorr_ros.methods.semalign3d.alignment.state import Evidence, State, project
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation

MIN_DEPTHS = 8  # image points with depth below which depth order says nothing
SIGHT_LINE = 0.3  # class points this near (in object radii) to a line of sight can be its front surface


@dataclass(frozen=True)
class SelectConfig:
    """Weights of the two checks, in units of energy."""

    depth_order: float = 0.5  # cost of a depth order that contradicts the depth map everywhere
    empty: float = 1.0  # cost of all keypoints in empty space
    facing_away: float = 1e3  # cost of a flat class that shows its back
    confidence: ConfidenceConfig = field(default_factory=ConfidenceConfig)


@dataclass(frozen=True)
class Ranking:
    """Hypotheses in order, best first."""

    order: Tensor
    energy: Float[Tensor, "hypothesis"]  # including the checks, in that order
    by_term: dict[str, Float[Tensor, "hypothesis"]]
    confidence: Float[Tensor, "hypothesis"]

    def led_by(self, hypothesis: int) -> Ranking:
        """Return the same ranking with one hypothesis first, whatever its energy."""
        first = self.order == hypothesis
        rows = torch.cat([first.nonzero()[:, 0], (~first).nonzero()[:, 0]])
        terms = {name: value[rows] for name, value in self.by_term.items()}
        return Ranking(self.order[rows], self.energy[rows], terms, self.confidence[rows])


def rank(
    model: ClassRepresentation,
    evidence: Evidence,
    found: Optimized,
    configs: tuple[SelectConfig, ObjectiveConfig],
) -> Ranking:
    """Order hypotheses by the final objective over all image points, plus the two checks."""
    config, terms = configs
    state = objective.make_state(
        model,
        found.keypoints,
        (found.focal, found.surface_depth),
        evidence,
        objective.sigmas_at(terms, 1000.0, evidence),
    )
    energy, by_term = objective.evaluate(state, evidence, model, objective.weights_at(terms, 1000.0))
    by_term["depth_order"] = depth_order(state, evidence.radius)
    by_term["empty_space"] = confidence.in_empty_space(model, evidence, state, config.confidence.empty_depth)
    energy = energy + config.depth_order * by_term["depth_order"] + config.empty * by_term["empty_space"]
    if model.info.flat:
        by_term["facing_away"] = facing_away(model, found.keypoints)
        energy = energy + config.facing_away * by_term["facing_away"]
    order = energy.argsort()
    sure = confidence.confidence(model, evidence, state, (energy, by_term), config.confidence)
    return Ranking(order, energy[order], {name: value[order] for name, value in by_term.items()}, sure[order])


def depth_order(state: State, radius: float) -> Float[Tensor, "hypothesis"]:
    """Compute the share of image point pairs whose depth order the class's front surface contradicts.

    radius: RMS radius of the object in the image. 0 where there is no depth. Pairs closer in depth
    than a fifth of the object's radius do not count.
    """
    samples = state.dense_samples
    valid = samples.measured
    if int(valid.sum()) < MIN_DEPTHS:
        return torch.zeros_like(state.focal)
    points, relief = samples.points[valid], samples.relief[valid]
    distance = torch.cdist(points.expand(len(state.focal), -1, -1), project(state.dense, state))
    z = torch.where(distance < SIGHT_LINE * radius, state.dense[:, None, :, 2], torch.inf).amin(-1)
    explained = z / state.surface_depth[:, None]
    half = len(relief) // 2
    observed = (relief[:half] - relief[half : 2 * half])[None]
    difference = explained[:, :half] - explained[:, half : 2 * half]
    counts = (observed.abs() > 0.2 / state.surface_depth[:, None]) & torch.isfinite(difference)
    wrong = (observed * difference < 0) & counts
    return wrong.sum(-1) / counts.sum(-1).clamp_min(1)


def facing_away(
    model: ClassRepresentation, keypoints: Float[Tensor, "hypothesis keypoint 3"]
) -> Float[Tensor, "hypothesis"]:
    """Return 1 where the front (canonical +x) of the object points away from the camera."""
    canonical = model.sparse[model.annotated].expand(len(keypoints), -1, -1)
    placed = keypoints[:, model.annotated]
    _, rotation, _ = fit_similarity(canonical, placed)
    to_camera = -placed.mean(1)
    return ((rotation[..., 0] * to_camera).sum(-1) < 0).float()
