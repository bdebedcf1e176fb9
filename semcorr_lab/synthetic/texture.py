"""Color surfaces: textures evaluated per ray hit from object coordinates, so that meshes need no UV maps,
and skins, which are UV-mapped images as GLB files carry them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from semcorr_lab.synthetic import patterns

_WEIGHTS = {
    "plain": 0.3,
    "noise": 0.16,
    "stripes": 0.1,
    "checker": 0.07,
    "spots": 0.08,
    "mosaic": 0.08,
    "gradient": 0.09,
    "marble": 0.08,
    "writing": 0.04,
}


@dataclass(frozen=True)
class Texture:
    """A color tile laid on a surface by box mapping: the two axes across the main normal direction."""

    tile: Float[np.ndarray, "height width 3"]  # RGB in [0, 1], repeats without a seam
    tile_size: float  # metres covered by one tile
    turn: Float[np.ndarray, "2 2"]  # rotation of the tile in its plane
    shift: Float[np.ndarray, "2"]  # of the tile, in tiles

    def colors(
        self, points: Float[np.ndarray, "point 3"], normals: Float[np.ndarray, "point 3"]
    ) -> Float[np.ndarray, "point 3"]:
        """Compute RGB in [0, 1] at points with unit normals, both in the object frame, points in metres."""
        if self.tile.shape[:2] == (1, 1):
            return np.broadcast_to(self.tile[0, 0], points.shape)
        axis = np.abs(normals).argmax(1)
        rows = np.arange(len(points))
        flat = np.stack([points[rows, (axis + 1) % 3], points[rows, (axis + 2) % 3]], 1)
        uv = flat @ (self.turn.T / self.tile_size) + self.shift
        return sample_tile(self.tile, uv)


def sample_tile(
    tile: Float[np.ndarray, "height width channel"], uv: Float[np.ndarray, "point 2"]
) -> Float[np.ndarray, "point channel"]:
    """Look up bilinearly with wrap-around; uv in tiles, u along columns."""
    height, width, channels = tile.shape
    at = uv * np.array([width, height])
    low = np.floor(at)
    t = (at - low).astype(np.float32)
    column, row = low.astype(np.int64).T % np.array([[width], [height]])
    right, below = (column + 1) % width, (row + 1) % height
    table = tile.reshape(-1, channels)
    tx, ty = t[:, :1], t[:, 1:]
    top = table[row * width + column] * (1 - tx) + table[row * width + right] * tx
    bottom = table[below * width + column] * (1 - tx) + table[below * width + right] * tx
    return top * (1 - ty) + bottom * ty


def paint(rng: np.random.Generator, size: float, kind: str | None = None, dark: bool = False) -> Texture:
    """Draw a texture for a thing of `size` metres; `kind` is one of patterns.KINDS."""
    if kind is None:
        names = list(_WEIGHTS)
        kind = names[int(rng.choice(len(names), p=np.array(list(_WEIGHTS.values()))))]
    colors = np.stack([patterns.random_color(rng) for _ in range(int(rng.integers(2, 5)))])
    if rng.random() < 0.4:
        colors = 0.6 * colors[:1] + 0.4 * colors
    if dark:
        colors = 0.06 + 0.2 * colors
    angle = rng.uniform(0, 2 * np.pi) if rng.random() < 0.4 else 0.0
    c, s = np.cos(angle), np.sin(angle)
    return Texture(
        tile=patterns.bake(rng, kind, colors.astype(np.float32)),
        tile_size=size * float(rng.uniform(0.25, 1.1)),
        turn=np.array([[c, -s], [s, c]], np.float32),
        shift=rng.random(2).astype(np.float32),
    )


def solid(color: Float[np.ndarray, "3"] | Sequence[float]) -> Texture:
    """Make a texture of one color."""
    tile = np.asarray(color, np.float32).reshape(1, 1, 3)
    return Texture(tile, 1.0, np.eye(2, dtype=np.float32), np.zeros(2, np.float32))


@dataclass(frozen=True)
class Skin:
    """An image and where each corner of each face lies in it."""

    image: Float[np.ndarray, "height width 3"]  # RGB in [0, 1], repeats
    corner_uv: Float[np.ndarray, "face 3 2"]  # u along columns, v along rows from the top, in images

    def colors(
        self, face: Int[np.ndarray, "hit"], bary: Float[np.ndarray, "hit 2"]
    ) -> Float[np.ndarray, "hit 3"]:
        """Compute RGB at points given by face and the weights of its second and third corner."""
        corners = self.corner_uv[face]
        u, v = bary[:, :1], bary[:, 1:]
        uv = corners[:, 0] * (1 - u - v) + corners[:, 1] * u + corners[:, 2] * v
        # Texel centers lie half a texel inside the image.
        half = 0.5 / np.array([self.image.shape[1], self.image.shape[0]])
        return sample_tile(self.image, uv - half)
