"""Features and spheres weighed together (Eq. 7), and the best cell of a picture."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from semcorr_ros.artifacts import Correspondences, KeypointState, Observation
from semcorr_ros.geometry import cameras, grid, measured_depth
from semcorr_ros.methods.spherical.config import MatchConfig


@dataclass(frozen=True)
class Query:
    """What is looked for: features and spheres of points, unit norm."""

    features: Float[Tensor, "point channel"]
    spheres: Float[Tensor, "point 3"]


@dataclass(frozen=True)
class Mapping:
    """Both maps of a picture."""

    features: Float[Tensor, "h w channel"]
    spheres: Float[Tensor, "h w 3"]


def similarity(query: Query, target: Mapping, config: MatchConfig) -> Float[Tensor, "point h w"]:
    """Rate every cell for every point: (1 - alpha) of the features, alpha of the sphere (Eq. 7).

    "cosine": in [-1, 1]; "l2": negative distances, in [-2, 0].
    """
    features = torch.einsum("pc,hwc->phw", query.features, target.features)
    spheres = torch.einsum("pc,hwc->phw", query.spheres, target.spheres)
    if config.metric == "l2":
        features, spheres = _minus_distance(features), _minus_distance(spheres)
    return (1 - config.alpha) * features + config.alpha * spheres


def only_inside(rated: Float[Tensor, "point h w"], inside: Bool[Tensor, "h w"]) -> Float[Tensor, "point h w"]:
    """Rate cells off the object like the worst on it; all as they are where none is on it."""
    if not inside.any() or not len(rated):
        return rated
    return torch.where(inside, rated, rated[:, inside].amin())


def as_score(similarities: Float[Tensor, "*batch"], config: MatchConfig) -> Float[Tensor, "*batch"]:
    """Bring similarities to [0, 1]."""
    return (similarities + (1 if config.metric == "l2" else 0)).clamp(0, 1)


def best_cells(
    rated: Float[Tensor, "point h w"], seen: Observation
) -> tuple[Correspondences, Float[Tensor, "point"]]:
    """Find the centre of the best cell of every point, and its rating; 3D by the sensor's depth alone.

    The rating is the score; states are VISIBLE, or NO_DEPTH where metric depth has a hole.
    """
    best, cell = rated.flatten(1).max(-1)
    points = grid.centers(seen.features).reshape(-1, 2)[cell]
    found = Correspondences(
        points=points,
        score=best,
        state=torch.full_like(cell, int(KeypointState.VISIBLE)),
        xyz=best.new_full((len(cell), 3), torch.nan),
    )
    return _measured(found, seen), best


def _measured(found: Correspondences, seen: Observation) -> Correspondences:
    if seen.depth is None or not seen.depth.metric or seen.camera is None:
        return found
    depth = measured_depth.window(found.points, seen.depth.values).nanmedian(-1).values
    xyz = cameras.unproject(found.points, depth, seen.camera)
    state = torch.where(torch.isnan(depth), int(KeypointState.NO_DEPTH), found.state)
    return replace(found, xyz=xyz, state=state)


def _minus_distance(cosine: Float[Tensor, "point h w"]) -> Float[Tensor, "point h w"]:
    return -(2 - 2 * cosine).clamp_min(0).sqrt()
