"""Scale-free measures of keypoint geometry: angles, length ratios, direction cosines (Eq. 1-2).

Every measure lies in [0, 1], so that a Beta distribution can describe it. Angles and ratios are
blind to mirroring; the direction cosines in a triangle's frame are not, they fix handedness.
The alignment calls both functions in every step of the optimization: only index_select gathers,
whose backward is a single index_add, and no branches.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

# Squared length, relative to the mean squared edge, below which an edge has no direction any more.
DEGENERATE_EDGE = 1e-8
# Added to a squared sine: the gradient of an angle stays finite at 0 and pi (bias there 1e-3 rad).
DEGENERATE_SINE = 1e-6


def edge_pair_measures(
    points: Float[Tensor, "*batch keypoint 3"], indices: Int[Tensor, "combination 4"]
) -> Float[Tensor, "*batch combination 2"]:
    """Measure the angle between edges ij and kl over pi, and |ij| / (|ij| + |kl|), per row (i, j, k, l)."""
    first, second = _flat(indices[:, 0], indices[:, 1], points), _flat(indices[:, 2], indices[:, 3], points)
    directions, lengths = _edges(points, torch.cat([first, second]))
    cosine = (directions.index_select(-2, first) * directions.index_select(-2, second)).sum(-1)
    angle = torch.atan2(_sine(cosine), cosine)
    first_length, second_length = lengths.index_select(-1, first), lengths.index_select(-1, second)
    return torch.stack([angle / math.pi, first_length / (first_length + second_length)], -1)


def frame_measures(
    points: Float[Tensor, "*batch keypoint 3"], indices: Int[Tensor, "combination 4"]
) -> Float[Tensor, "*batch combination 3"]:
    """Measure direction cosines of a->d in the frame of triangle abc as (cosine + 1) / 2, rows (a, b, c, d).

    The frame: x along a->b, z along (b - a) x (c - a), y = z x x.
    """
    start, b, c, d = indices.unbind(-1)
    edges = [_flat(start, end, points) for end in (b, c, d)]
    directions, _ = _edges(points, torch.cat(edges))
    x, side, ray = (directions.index_select(-2, edge) for edge in edges)
    along, across, ray_side = (x * ray).sum(-1), (x * side).sum(-1), (ray * side).sum(-1)
    # Gram-Schmidt written with dot products: y and z share the same denominator, the sine at a.
    sine = _sine(across)
    cos_y = (ray_side - across * along) / sine
    cos_z = (torch.linalg.cross(x, side, dim=-1) * ray).sum(-1) / sine
    return torch.stack([along, cos_y, cos_z], -1) * 0.5 + 0.5


def _flat(start: Tensor, end: Tensor, points: Tensor) -> Tensor:
    return start * points.shape[-2] + end


def _sine(cosine: Tensor) -> Tensor:
    return ((1 - cosine) * (1 + cosine)).clamp_min(0.0).add(DEGENERATE_SINE).sqrt()


def _edges(points: Tensor, used: Tensor) -> tuple[Tensor, Tensor]:
    """Compute unit directions (*batch, L * L, 3) and lengths (*batch, L * L) of every edge i -> j."""
    edges = (points[..., None, :, :] - points[..., :, None, :]).flatten(-3, -2)
    squared = (edges * edges).sum(-1)
    # Relative to the edges in use, so that rows of keypoints never annotated do not count.
    floor = (
        squared.detach().index_select(-1, used).mean(-1, keepdim=True) if len(used) else squared[..., :1] * 0
    )
    lengths = (squared + DEGENERATE_EDGE * floor + torch.finfo(points.dtype).tiny).sqrt()
    return edges / lengths[..., None], lengths
