"""Points as affine combinations of keypoints, and how far points lie outside the keypoints' hull.

Generalized barycentric coordinates: of all weights that sum to 1 and reproduce the point, the smallest
ones, where a far keypoint's weight counts more (the weights of moving least squares). Inside a
tetrahedron of four keypoints these are its barycentric coordinates. They need no choice among the
C(L, 4) tetrahedra, vary smoothly, and stay small where keypoints are nearly coplanar: there a ridge gives up
reproducing the point exactly, while a flat tetrahedron would have huge weights.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from semcorr_ros.geometry.rotations import golden_spiral

RIDGE = 3e-4  # relative to the spread of the anchors around the point
DIRECTIONS = 512


def affine_weights(
    points: Float[Tensor, "point 3"], anchors: Float[Tensor, "*point anchor 3"], ridge: float = RIDGE
) -> Float[Tensor, "point anchor"]:
    """Compute weights with rows that sum to 1 and weights @ anchors ~ points.

    Anchors may differ per point.
    """
    offset = anchors - points[:, None]  # (P, A, 3)
    squared = (offset**2).sum(-1)
    # A point on an anchor would have infinite weight there; the floor makes it nearly all of it.
    pull = 1 / (squared + 1e-6 * squared.mean(-1, keepdim=True).clamp_min(1e-12)) ** 2
    pull = pull / pull.sum(-1, keepdim=True)
    moment = (pull[..., None] * offset).sum(-2)
    spread = torch.einsum("pa,pai,paj->pij", pull, offset, offset)
    floor = ridge * spread.diagonal(dim1=-2, dim2=-1).sum(-1)[:, None, None].clamp_min(1e-12)
    slope = torch.linalg.solve(spread + floor * torch.eye(3), moment)
    weights = pull * (1 - (offset @ slope[..., None])[..., 0])
    return weights / weights.sum(-1, keepdim=True)


def sparse_affine_weights(
    points: Float[Tensor, "point 3"], anchors: Float[Tensor, "anchor 3"], count: int
) -> Float[Tensor, "point anchor"]:
    """Compute `affine_weights` of which at most `count` per row are not zero."""
    weights = affine_weights(points, anchors.expand(len(points), -1, -1))
    if count >= len(anchors):
        return weights
    chosen = weights.abs().topk(count, dim=-1).indices.sort(-1).values
    few = affine_weights(points, anchors[chosen])
    return torch.zeros_like(weights).scatter(1, chosen, few)


def hull_distance(
    points: Float[Tensor, "point 3"], anchors: Float[Tensor, "anchor 3"]
) -> Float[Tensor, "point"]:
    """Measure how far points lie outside the convex hull of the anchors, 0 inside.

    By the hull's support function in fixed directions: a slight underestimate, and right for flat hulls.
    """
    directions = golden_spiral(DIRECTIONS)
    reach = (anchors @ directions.T).amax(0)
    return (points @ directions.T - reach).amax(-1).clamp_min(0)


def not_collinear(anchors: Float[Tensor, "anchor 3"], width: float = 0.1) -> Bool[Tensor, ""]:
    """Tell whether anchors span at least a plane."""
    extents = torch.linalg.svdvals(anchors - anchors.mean(0))
    return extents[1] > width * extents[0]
