"""Turn a body of revolution until what sticks out of it is where depth has measured it.

Features tell the direction of a cup by where its outline and its handle are; of a handle that points to the
camera or away from it they tell little, and depth tells all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.geometry import revolution
from semcorr_ros.geometry.similarity import fit_similarity
from semcorr_ros.methods.semalign3d.alignment.optimize import Optimized
from semcorr_ros.methods.semalign3d.alignment.state import Evidence
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation


@dataclass(frozen=True)
class TurningConfig:
    """Which turns are tried, and when one is believed. Lengths in canonical units."""

    step_deg: float = 10.0
    most_deg: float = 60.0  # to either side of what the energy prefers
    least_deg: float = 20.0  # less is within the errors of a right one
    gain: float = 0.012  # by which the mean distance of what is measured to the class must fall
    farthest: float = 0.4  # distance that counts for all that are larger
    fewest: int = 64  # measured points


def turned(
    model: ClassRepresentation, evidence: Evidence, found: Optimized, best: int, config: TurningConfig
) -> Optimized | None:
    """Turn the best hypothesis about its upright axis; None where it is right, or depth cannot tell.

    None too for a class that is no body of revolution with a part that tells its direction.
    """
    if model.telling is None or evidence.measured is None or len(evidence.measured) < config.fewest:
        return None
    keypoints = found.keypoints[best]
    canonical = model.sparse[model.annotated]
    scale, rotation, translation = (
        part[0] for part in fit_similarity(canonical[None], keypoints[None, model.annotated])
    )
    measured = _unprojected(evidence.measured, found.focal[best], found.surface_depth[best])
    points, shape, own = (
        (each - translation) @ rotation / scale - model.axis
        for each in (measured, model.dense.barycentric @ keypoints, keypoints)
    )
    angles = _angles(config).to(points)
    surface = torch.cat([shape, own[model.annotated]])
    distance = torch.stack([_distance(points, surface @ turn.T, config) for turn in revolution.turns(angles)])
    chosen, middle = int(distance.argmin()), len(angles) // 2
    gain = float(distance[middle] - distance[chosen])
    if gain < config.gain or abs(chosen - middle) * config.step_deg < config.least_deg:
        return None
    turn = revolution.turns(angles[chosen : chosen + 1])[0]
    moved = found.keypoints.clone()
    moved[best] = scale * (own @ turn.T + model.axis) @ rotation.T + translation
    return replace(found, keypoints=moved)


def _angles(config: TurningConfig) -> Float[Tensor, "turn"]:
    count = round(config.most_deg / config.step_deg)
    return torch.arange(-count, count + 1).float().mul(config.step_deg).deg2rad()


def _unprojected(
    measured: Float[Tensor, "point 3"], focal: Float[Tensor, ""], surface_depth: Float[Tensor, ""]
) -> Float[Tensor, "point 3"]:
    """Convert image points and their relief to the camera frame, working units."""
    z = surface_depth * (1 + measured[:, 2:])
    return torch.cat([measured[:, :2] * z / focal, z], -1)


def _distance(
    points: Float[Tensor, "point 3"], surface: Float[Tensor, "surface 3"], config: TurningConfig
) -> Float[Tensor, ""]:
    return torch.cdist(points, surface).amin(-1).clamp_max(config.farthest).mean()
