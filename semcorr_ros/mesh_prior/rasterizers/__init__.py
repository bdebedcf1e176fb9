"""Differentiable soft silhouettes: one rasterizer per file, and all give the same picture.

A file says `PLUGIN = Rasterizer(silhouettes)`. SoftRas (Liu et al. 2019), as in PyTorch3D's
SoftSilhouetteShader: triangle j covers pixel i by `sigmoid(-d_ij / sigma)`, d the squared distance of the
pixel to the triangle's edge, negative inside, in half sides of the picture; a pixel is
`1 - prod_j (1 - coverage)`.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

from semcorr_ros.artifacts import Camera
from semcorr_ros.registry import Registry

SIGMA = 1e-4  # square half sides of the picture
REACH = math.log(1 / 1e-4 - 1)  # in sigma: where the coverage has fallen to 1e-4, and is cut off

Silhouettes = Callable[
    [Float[Tensor, "B V 3"], Int[Tensor, "F 3"], Camera, float],
    Float[Tensor, "B h w"],
]


@dataclass(frozen=True)
class Rasterizer:
    """What a file of this folder calls PLUGIN.

    silhouettes: (vertices in the camera frame, faces, camera, sigma) -> coverage of each pixel in [0, 1],
    differentiable in the vertices.
    """

    silhouettes: Silhouettes


RASTERIZERS = Registry(__name__, Rasterizer)


def default_rasterizer() -> str:
    """Name PyTorch3D where it is installed, else our own."""
    return "pytorch3d" if importlib.util.find_spec("pytorch3d") else "built_in"
