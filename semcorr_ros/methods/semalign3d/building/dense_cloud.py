"""The dense cloud: object pixels of all views, carried to the canonical shape and clustered.

The paper carries a pixel by its barycentric coordinates in the view's keypoints. Here the view's similarity
carries it, and the same barycentric weights interpolate what the similarity leaves at the keypoints: equal
where four or more keypoints surround the pixel, and still sensible where the visible keypoints are nearly
coplanar, as those of one view often are. Pixels outside the hull of the view's keypoints by more than
a tolerance are dropped, never collapsed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree
from torch import Tensor

from semcorr_ros.methods.semalign3d.building.barycentric import (
    affine_weights,
    hull_distance,
    not_collinear,
    sparse_affine_weights,
)
from semcorr_ros.methods.semalign3d.building.config import BuildConfig

CARRY_RIDGE = 0.03  # of single views: their keypoints are noisy, so weights are kept small
ANCHORS = 8  # keypoints that one dense point may hang on
ITERATIONS = 12


@dataclass(frozen=True)
class MergedCloud:
    """Surface points of all views in the canonical frame."""

    points: Float[Tensor, "point 3"]
    features: Float[Tensor, "point look channel"]  # float16, of the picture and of its coarse copy
    facing: Float[Tensor, "point 3"]  # unit direction to the camera that saw the point
    view: Float[Tensor, "point"]


def carry_surface(
    surface: Float[Tensor, "point 3"],
    anchors: Float[Tensor, "keypoint 3"],
    targets: Float[Tensor, "keypoint 3"],
    tolerance: float,
) -> tuple[Float[Tensor, "kept 3"], Bool[Tensor, "point"]]:
    """Warp points so that the anchors go to the targets; all in canonical units.

    Returns the warped points that lie within `tolerance` of the anchors' hull, and which those are.
    """
    if len(anchors) < 3 or not not_collinear(anchors):
        return surface[:0], torch.zeros(len(surface), dtype=torch.bool)
    inside = hull_distance(surface, anchors) <= tolerance
    kept = surface[inside]
    weights = affine_weights(kept, anchors.expand(len(kept), -1, -1), CARRY_RIDGE)
    return kept + weights @ (targets - anchors), inside


def cluster_surface(
    merged: MergedCloud, config: BuildConfig, generator: torch.Generator
) -> tuple[Float[Tensor, "cluster 3"], Float[Tensor, "cluster"]]:
    """Find the centers of the clusters that are dense enough, and their share of all merged points.

    A cluster is dropped if it holds few points, or points of a single view where others could
    have confirmed them: both are what wrong depth leaves behind.
    """
    centers, label = kmeans(merged.points, config.dense_points, generator)
    size = torch.bincount(label, minlength=len(centers)).float()
    pairs = torch.unique(torch.stack([label, merged.view.long()], -1), dim=0)
    views = torch.bincount(pairs[:, 0], minlength=len(centers))
    keep = size >= config.density_threshold * len(merged.points) / len(centers)
    if len(merged.view.unique()) >= 6:
        keep &= views >= 2
    return centers[keep], size[keep] / len(merged.points)


def express_by_keypoints(
    centers: Float[Tensor, "cluster 3"],
    keypoints: Float[Tensor, "keypoint 3"],
    placed: Bool[Tensor, "keypoint"],
) -> Float[Tensor, "cluster keypoint"]:
    """Compute affine weights of the placed keypoints that reproduce the centers, at most eight per row."""
    weights = torch.zeros(len(centers), len(placed))
    weights[:, placed] = sparse_affine_weights(centers, keypoints[placed], ANCHORS)
    return weights


def kmeans(
    points: Float[Tensor, "point 3"], count: int, generator: torch.Generator
) -> tuple[Float[Tensor, "cluster 3"], Int[Tensor, "point"]]:
    """Find centers and the cluster of every point. At most as many clusters as points; none is empty."""
    data = points.double().numpy()
    start = torch.randperm(len(points), generator=generator)[: min(count, len(points))]
    centers = data[start.sort().values.numpy()]
    for _ in range(ITERATIONS):
        label = cKDTree(centers).query(data)[1]
        size = np.bincount(label, minlength=len(centers))
        total = np.stack([np.bincount(label, data[:, axis], len(centers)) for axis in range(3)], -1)
        centers = total[size > 0] / size[size > 0, None]
    label = cKDTree(centers).query(data)[1]
    kept, label = np.unique(label, return_inverse=True)
    return torch.from_numpy(centers[kept]).float(), torch.from_numpy(label.reshape(-1))
