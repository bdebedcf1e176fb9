"""Our own, in torch: every triangle near a pixel counts, on any device; nothing to install."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semcorr_ros.artifacts import Camera
from semcorr_ros.geometry.cameras import project
from semcorr_ros.mesh_prior.coverage import barycentric, pairs_of
from semcorr_ros.mesh_prior.rasterizers import REACH, SIGMA, Rasterizer


def silhouettes(
    vertices: Float[Tensor, "B V 3"], faces: Int[Tensor, "F 3"], camera: Camera, sigma: float = SIGMA
) -> Float[Tensor, "B h w"]:
    """Render the coverage of each pixel, differentiable in the vertices (camera frame)."""
    h, w = camera.size
    pixels = project(vertices, camera)
    half = min(h, w) / 2
    reach = half * math.sqrt(REACH * sigma)
    pairs = pairs_of(pixels, vertices[..., 2], faces, (h, w), reach)
    point = torch.stack([pairs.column, pairs.row], -1).to(vertices)
    corners = pixels.flatten(0, 1)[(faces[pairs.face] + (pairs.picture * vertices.shape[1])[:, None])]
    distance = signed_square_distance(corners, point) / half**2
    near = distance.detach() < REACH * sigma
    # log(1 - sigmoid(-x)) = logsigmoid(x): a sum instead of a product, without 0 * inf in its gradient.
    clear = torch.nn.functional.logsigmoid(distance[near] / sigma)
    place = ((pairs.picture * h + pairs.row) * w + pairs.column)[near]
    total = torch.zeros(len(vertices) * h * w, dtype=vertices.dtype, device=vertices.device)
    return -torch.expm1(total.index_add(0, place, clear)).view(len(vertices), h, w)


def signed_square_distance(
    triangle: Float[Tensor, "P 3 2"], point: Float[Tensor, "P 2"]
) -> Float[Tensor, "P"]:
    """Compute the squared distance of points to the edge of their triangle, negative inside it, pixels."""
    following = triangle.roll(-1, 1)
    along, towards = following - triangle, point[:, None] - triangle
    share = (towards * along).sum(-1) / (along * along).sum(-1).clamp_min(1e-12)
    gap = towards - share.clamp(0, 1)[..., None] * along
    square = (gap * gap).sum(-1).amin(-1)
    weights, whole = barycentric(triangle.detach(), point)
    return torch.where(whole & (weights >= 0).all(-1), -square, square)


PLUGIN = Rasterizer(silhouettes)
