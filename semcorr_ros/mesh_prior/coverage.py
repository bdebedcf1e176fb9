"""Which pixels a triangle can touch, and the nearest triangle of every pixel (z-buffer); nothing to learn."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from semcorr_ros.artifacts import Camera
from semcorr_ros.geometry.cameras import project

NEAREST = 1e-3  # of the mesh's distance: triangles that come closer to the camera's plane are not drawn
MOST_PAIRS = 50_000_000  # of pixels and triangles in one picture: more would take all memory


@dataclass(frozen=True)
class Pairs:
    """Pixels in the boxes of triangles. `P` pairs of a pixel and a triangle of one of `B` pictures."""

    picture: Int[Tensor, "P"]
    face: Int[Tensor, "P"]
    row: Int[Tensor, "P"]
    column: Int[Tensor, "P"]


@dataclass(frozen=True)
class Drawn:
    """What is seen in each pixel of `B` pictures."""

    face: Int[Tensor, "B h w"]  # -1: nothing
    weights: Float[Tensor, "B h w 3"]  # barycentric, perspective-correct; 0 where nothing is seen
    depth: Float[Tensor, "B h w"]  # along optical z; 0 where nothing is seen


def pairs_of(
    pixels: Float[Tensor, "B V 2"],
    depth: Float[Tensor, "B V"],
    faces: Int[Tensor, "F 3"],
    size: tuple[int, int],
    margin: float = 0.0,
) -> Pairs:
    """Pair every triangle before the camera with the pixels of its box, grown by `margin` pixels.

    Raises ValueError for a picture that would have more than MOST_PAIRS of them.
    """
    corners = pixels.detach()[:, faces]  # (B, F, 3, 2)
    nearest = NEAREST * depth.detach().abs().amax()
    before = (depth.detach()[:, faces] > nearest).all(-1) & torch.isfinite(corners).all(-1).all(-1)
    limit = torch.tensor([size[1] - 1, size[0] - 1], device=pixels.device)
    low = torch.ceil(corners.amin(2) - margin).clamp_min(0)
    high = torch.minimum(torch.floor(corners.amax(2) + margin), limit)
    extent = torch.where(before[..., None], high - low + 1, 0.0).clamp_min(0).long()
    count = (extent[..., 0] * extent[..., 1]).flatten()
    total = int(count.sum())
    if total > MOST_PAIRS:
        raise ValueError(
            f"the mesh needs {total} tests of pixels, at most {MOST_PAIRS} are made: simplify it"
        )
    which = torch.repeat_interleave(count)
    inside = torch.arange(total, device=pixels.device) - (count.cumsum(0) - count)[which]
    width = extent[..., 0].flatten()[which]
    start = torch.where(extent > 0, low, 0.0).long().flatten(0, 1)[which]
    column, row = start[:, 0] + inside % width, start[:, 1] + inside // width
    return Pairs(which // len(faces), which % len(faces), row, column)


def barycentric(
    triangle: Float[Tensor, "P 3 2"], point: Float[Tensor, "P 2"]
) -> tuple[Float[Tensor, "P 3"], Bool[Tensor, "P"]]:
    """Compute the weights of a triangle's corners in the picture's plane, and whether it has an area."""
    a, b, c = triangle.unbind(1)
    area = _cross(b - a, c - a)
    flat = area.abs() < 1e-12
    whole = torch.where(flat, torch.ones_like(area), area)
    second, third = _cross(point - a, c - a) / whole, _cross(b - a, point - a) / whole
    return torch.stack([1 - second - third, second, third], -1), ~flat


def draw(vertices: Float[Tensor, "B V 3"], faces: Int[Tensor, "F 3"], camera: Camera) -> Drawn:
    """Find what each pixel sees of a mesh in several poses, both sides of its triangles.

    vertices: camera frame. A triangle behind the camera or cut by its plane is not drawn.
    """
    pixels, depth = project(vertices, camera), vertices[..., 2]
    h, w = camera.size
    pairs = pairs_of(pixels, depth, faces, (h, w))
    index = faces[pairs.face]
    point = torch.stack([pairs.column, pairs.row], -1).to(vertices)
    flat, whole = barycentric(pixels[pairs.picture[:, None], index], point)
    inverse = flat / depth[pairs.picture[:, None], index]
    z = 1 / inverse.sum(-1)
    inside = whole & (flat >= -1e-6).all(-1) & torch.isfinite(z)
    place = ((pairs.picture * h + pairs.row) * w + pairs.column)[inside]
    face, weights, z = pairs.face[inside], (inverse * z[:, None])[inside], z[inside]
    nearest = torch.full((len(vertices) * h * w,), torch.inf, dtype=z.dtype, device=z.device)
    nearest = nearest.scatter_reduce(0, place, z, "amin")
    # Of two triangles at the same depth the later one, on every machine.
    chosen = torch.full_like(nearest, -1, dtype=torch.long)
    first = z == nearest[place]
    number = torch.arange(len(z), device=z.device)
    chosen = chosen.scatter_reduce(0, place[first], number[first], "amax")
    seen = chosen >= 0
    found = torch.full_like(chosen, -1)
    found[seen] = face[chosen[seen]]
    drawn = torch.zeros(len(chosen), 4, dtype=z.dtype, device=z.device)
    drawn[seen] = torch.cat([weights, z[:, None]], -1)[chosen[seen]]
    shape = (len(vertices), h, w)
    return Drawn(found.view(shape), drawn[:, :3].view(*shape, 3), drawn[:, 3].view(shape))


def _cross(a: Float[Tensor, "P 2"], b: Float[Tensor, "P 2"]) -> Float[Tensor, "P"]:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
