"""Estimate how sure an alignment is: object explained, shape likely, no part of it where depth shows that
nothing is, and nothing else fits as well."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.geometry.similarity import fit_similarity
from semcorr_ros.methods.semalign3d.alignment import objective
from semcorr_ros.methods.semalign3d.alignment.state import Evidence, State, project
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation


@dataclass(frozen=True)
class ConfidenceConfig:
    """Where the three parts of the confidence turn; tuned on rendered images (docs/accuracy.md)."""

    sigma: float = 0.05  # of p_spatial, when counting what is explained
    usual_strain: float = 0.35  # of the geometry term, in shapes as varied as the training images
    strain: float = 0.5  # beyond that, the confidence falls by a factor e
    empty: float = 0.15  # share of the keypoints in empty space for which the confidence falls by a factor e
    empty_depth: float = 0.35  # canonical units in front of what is measured behind that are empty space
    rival_deg: float = 40.0  # poses that differ by more are rivals
    rival_gap: float = 0.15  # energy by which the best rival must be worse for full confidence
    rival_floor: float = 0.5  # confidence that is left when a rival is as good


def confidence(
    model: ClassRepresentation,
    evidence: Evidence,
    state: State,
    ranked: tuple[Float[Tensor, "hypothesis"], dict[str, Float[Tensor, "hypothesis"]]],
    config: ConfidenceConfig,
) -> Float[Tensor, "hypothesis"]:
    """Compute explained x not spilled x likely shape x not in empty space x no rival, in [0, 1].

    `ranked`: energy, unweighted terms.
    """
    energy, terms = ranked
    sure = explained(model, evidence, state, config.sigma)
    if "geometry" in terms:
        strain = (terms["geometry"] - config.usual_strain).clamp_min(0) / config.strain
        sure = sure * torch.exp(-strain)
    if "empty_space" in terms:
        sure = sure * torch.exp(-terms["empty_space"] / config.empty)
    gap = rival_gap(model, state.keypoints, energy, config.rival_deg) / config.rival_gap
    return sure * (config.rival_floor + (1 - config.rival_floor) * gap.clamp(0, 1))


def explained(
    model: ClassRepresentation, evidence: Evidence, state: State, sigma: float
) -> Float[Tensor, "hypothesis"]:
    """Multiply the explained share of the object by the share of the class that lies on it."""
    weights = {"reconstruction": 1.0, "background": 1.0}
    _, values = objective.evaluate(replace(state, sigma_dense=sigma), evidence, model, weights)
    cell = evidence.background.step.prod()
    full = float(evidence.background.share.sum() * cell)  # area of the background
    spill = values["background"] * full / (2 * torch.pi * sigma**2)  # 1 when wholly on background
    return (-values["reconstruction"] * (1 - spill.clamp(0, 1))).clamp(0, 1)


def in_empty_space(
    model: ClassRepresentation, evidence: Evidence, state: State, depth: float
) -> Float[Tensor, "hypothesis"]:
    """Compute the share of the keypoints turned to the camera that depth sees through; 0 without depth.

    depth: canonical units by which what is measured must be farther.
    """
    if evidence.nearest is None:
        return torch.zeros_like(state.focal)
    rows, columns = evidence.nearest.shape
    at = ((project(state.keypoints, state) - evidence.background.origin) / evidence.background.step).round()
    x, y = at.long().unbind(-1)
    inside = (x >= 0) & (x < columns) & (y >= 0) & (y < rows)
    measured = evidence.nearest[y.clamp(0, rows - 1), x.clamp(0, columns - 1)]
    front = (state.keypoints[..., 2] + depth) / state.surface_depth[:, None] - 1
    shown = state.log_visible_sparse.exp() * model.annotated
    empty = (inside & (measured > front)) * shown
    return empty.sum(-1) / shown.sum(-1).clamp_min(1e-6)


def rival_gap(
    model: ClassRepresentation,
    keypoints: Float[Tensor, "hypothesis keypoint 3"],
    energy: Float[Tensor, "hypothesis"],
    angle_deg: float,
) -> Float[Tensor, "hypothesis"]:
    """Compute the energy gap of each hypothesis to the best one with another pose; infinite without any.

    Turns about the axis of a class that is symmetric about it are the same pose.
    """
    canonical = model.sparse[model.annotated].expand(len(keypoints), -1, -1)
    _, rotation, _ = fit_similarity(canonical, keypoints[:, model.annotated])
    if model.info.symmetric:
        cosine = rotation[:, :, 2] @ rotation[:, :, 2].T
    else:
        cosine = (torch.einsum("aij,bij->ab", rotation, rotation) - 1) / 2
    other = cosine < math.cos(math.radians(angle_deg))
    rival = torch.where(other, energy, torch.inf).amin(-1)
    return rival - energy
