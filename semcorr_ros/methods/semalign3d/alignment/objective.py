"""The weighted sum of terms (Eq. 13): owns weights and schedules, has no code for any one term."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.methods.semalign3d.alignment import schedules
from semcorr_ros.methods.semalign3d.alignment.state import Evidence, State
from semcorr_ros.methods.semalign3d.alignment.terms import TERMS
from semcorr_ros.methods.semalign3d.alignment.visibility import log_visibility
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation

# term file -> the schedule of its weight
SCHEDULE_OF_TERM = {
    "reconstruction": "dense",
    "reconstruction_sparse": "sparse",
    "geometry": "geometry",
    "background": "background",
    "depth": "depth",
    "symmetry": "symmetry",
}
RECONSTRUCTION = ("reconstruction", "reconstruction_sparse")  # what w_rec of Eq. 13 weighs


@dataclass(frozen=True)
class ObjectiveConfig:
    """Which terms, and how they are weighed over the steps."""

    terms: tuple[str, ...] = tuple(SCHEDULE_OF_TERM)
    schedules: schedules.Schedules = field(default_factory=schedules.Schedules)


def weights_at(config: ObjectiveConfig, step: float) -> dict[str, float]:
    """Evaluate the weight of every configured term at a step of the 1000-step schedule (Eq. 9 and 13)."""
    plan = config.schedules
    weights = {term: schedules.at(getattr(plan, SCHEDULE_OF_TERM[term]), step) for term in config.terms}
    for term in RECONSTRUCTION:
        if term in weights:
            weights[term] *= schedules.at(plan.reconstruct, step)
    return weights


def sigmas_at(config: ObjectiveConfig, step: float, evidence: Evidence) -> tuple[float, float]:
    """Return sigma of p_spatial for the dense cloud and for the keypoints, normalized units."""
    plan = config.schedules
    size = evidence.radius / schedules.REFERENCE_RADIUS if plan.sigma_follows_size else 1.0
    return size * schedules.at(plan.sigma_dense, step), size * schedules.at(plan.sigma_sparse, step)


def make_state(
    model: ClassRepresentation,
    keypoints: Float[Tensor, "hypothesis keypoint 3"],
    placement: tuple[Float[Tensor, "hypothesis"], Float[Tensor, "hypothesis"]],
    evidence: Evidence,
    sigmas: tuple[float, float],
) -> State:
    """Make the state that the terms see, over all image samples; `placement` is (focal, surface depth)."""
    focal, surface_depth = placement
    dense = model.dense.barycentric @ keypoints
    facing = (model.dense.prototypes.facing, model.sparse_prototypes.facing)
    if not evidence.visibility:
        facing = (None, None)
    return State(
        keypoints=keypoints,
        dense=dense,
        log_visible=log_visibility(model, keypoints, dense, facing[0]),
        log_visible_sparse=log_visibility(model, keypoints, keypoints, facing[1]),
        focal=focal,
        surface_depth=surface_depth,
        sigma_dense=sigmas[0],
        sigma_sparse=sigmas[1],
        dense_samples=evidence.dense,
        sparse_samples=evidence.sparse,
    )


def evaluate(
    state: State, evidence: Evidence, model: ClassRepresentation, weights: dict[str, float]
) -> tuple[Float[Tensor, "hypothesis"], dict[str, Float[Tensor, "hypothesis"]]]:
    """Compute the total energy per hypothesis, and the unweighted terms.

    A term of weight 0 is not computed.
    """
    values = {
        term: TERMS.load(term).energy(state, evidence, model) for term, weight in weights.items() if weight
    }
    total = torch.zeros_like(state.focal)
    for term, value in values.items():
        total = total + weights[term] * value
    return total, values
