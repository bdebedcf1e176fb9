"""Angles, ratios and handedness should be likely under the class's Betas (Eq. 10 of SemAlign3D)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.methods.semalign3d.alignment.state import Evidence, State
from semcorr_ros.methods.semalign3d.alignment.terms import Term
from semcorr_ros.methods.semalign3d.artifacts import BetaFamily, ClassRepresentation
from semcorr_ros.methods.semalign3d.building.geometry_measures import edge_pair_measures, frame_measures

EPSILON = 1e-4  # keeps the log density and its gradient finite at the ends of [0, 1]


def energy(state: State, evidence: Evidence, model: ClassRepresentation) -> Float[Tensor, "hypothesis"]:
    """Average the negative log density over the five measures, each relative to its mode.

    Eq. 10 sums densities; their logarithm, which the authors' released code uses too, keeps pulling
    when a hypothesis is far from every mode.
    """
    pairs, frames = model.statistics.edge_pairs, model.statistics.frames
    total = state.keypoints.new_zeros(len(state.keypoints))
    if len(pairs.indices):
        total = total + _penalty(edge_pair_measures(state.keypoints, pairs.indices), pairs)
    if len(frames.indices):
        total = total + _penalty(frame_measures(state.keypoints, frames.indices), frames)
    return total / 5


PLUGIN = Term(energy)


def _penalty(
    measures: Float[Tensor, "hypothesis combination measure"], family: BetaFamily
) -> Float[Tensor, "hypothesis"]:
    """Sum over measures of the mean of log density at the mode minus log density."""
    a, b = family.alpha - 1, family.beta - 1
    x = measures.clamp(EPSILON, 1 - EPSILON)
    mode = (a / (a + b)).clamp(EPSILON, 1 - EPSILON)
    at_mode = a * mode.log() + b * torch.log1p(-mode)
    return (at_mode - a * x.log() - b * torch.log1p(-x)).mean(1).sum(-1)
