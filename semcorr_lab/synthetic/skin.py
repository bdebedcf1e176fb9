"""Colors bound to the faces of a mesh: a UV-mapped image, as GLB files carry them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from semcorr_lab.synthetic.texture import sample_tile


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
