"""The weighted sum of terms (Eq. 13): owns weights and schedules, knows no term by heart."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros import plugins
from semcorr_ros.alignment import schedules
from semcorr_ros.alignment.state import Evidence, ImageSamples, State
from semcorr_ros.artifacts import ClassRepresentation

# term file -> the schedule of its weight
SCHEDULE_OF_TERM = {
    "reconstruction": "dense",
    "reconstruction_sparse": "sparse",
    "geometry": "geometry",
    "background": "background",
    "depth": "depth",
}


@dataclass(frozen=True)
class Config:
    """Which terms, and how they are weighed over the steps."""

    terms: tuple[str, ...] = tuple(SCHEDULE_OF_TERM)
    schedules: schedules.Schedules = field(default_factory=schedules.Schedules)


def weights_at(config: Config, step: float) -> dict[str, float]:
    """Weight of every configured term at a step of the 1000-step schedule."""
    return {
        term: schedules.at(getattr(config.schedules, SCHEDULE_OF_TERM[term]), step) for term in config.terms
    }


def make_state(
    model: ClassRepresentation,
    keypoints: Float[Tensor, "hypothesis keypoint 3"],
    placement: tuple[Float[Tensor, "hypothesis"], Float[Tensor, "hypothesis"]],
    samples: tuple[ImageSamples, ImageSamples],
    config: Config,
    step: float,
) -> State:
    """The state the terms see; `placement` is (focal, surface depth), `samples` (dense, sparse)."""
    focal, surface_depth = placement
    return State(
        keypoints=keypoints,
        dense=model.dense.barycentric @ keypoints,
        focal=focal,
        surface_depth=surface_depth,
        sigma_dense=schedules.at(config.schedules.sigma_dense, step),
        sigma_sparse=schedules.at(config.schedules.sigma_sparse, step),
        dense_samples=samples[0],
        sparse_samples=samples[1],
    )


def evaluate(
    state: State, seen: Evidence, model: ClassRepresentation, weights: dict[str, float]
) -> tuple[Float[Tensor, "hypothesis"], dict[str, Float[Tensor, "hypothesis"]]]:
    """Total energy per hypothesis, and the unweighted terms. A term of weight 0 is not computed."""
    values = {
        term: plugins.load("alignment.terms", term).energy(state, seen, model)
        for term, weight in weights.items()
        if weight
    }
    total = torch.zeros_like(state.focal)
    for term, value in values.items():
        total = total + weights[term] * value
    return total, values
