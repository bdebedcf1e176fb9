"""One member of a procedural class: named parts, textures, keypoints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import trimesh
from jaxtyping import Float

from semcorr_lab.synthetic.texture import Skin, Texture


@dataclass(frozen=True)
class Part:
    """A surface with one look. Parts that repeat (wheels, legs) share their name."""

    name: str
    mesh: trimesh.Trimesh  # object frame, metres
    texture: Texture
    gloss: float = 0.2  # strength of highlights, 0 matte to 1
    skin: Skin | None = None  # colors bound to the mesh's faces; replaces the texture


@dataclass(frozen=True)
class Instance:
    """A member of a class. Object frame: x front, y left, z up; metres."""

    category: str
    parts: tuple[Part, ...]
    keypoints: Float[np.ndarray, "keypoint 3"]  # on the surface; NaN rows where unknown
    name: str = ""

    @property
    def vertices(self) -> Float[np.ndarray, "vertex 3"]:
        """Collect all vertices of all parts, metres."""
        return np.concatenate([part.mesh.vertices for part in self.parts])

    @property
    def bounds(self) -> Float[np.ndarray, "2 3"]:
        """Return the lowest and highest corner of the axis-aligned box, metres."""
        vertices = self.vertices
        return np.stack([vertices.min(0), vertices.max(0)])

    @property
    def size(self) -> float:
        """Measure the diagonal of the axis-aligned box, metres."""
        low, high = self.bounds
        return float(np.linalg.norm(high - low))
