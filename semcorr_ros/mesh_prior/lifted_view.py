"""What a picture brings to matching: its foreground cells, described by features and by the mesh below."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree
from torch import Tensor

from semcorr_ros.artifacts import FeatureMap
from semcorr_ros.geometry import grid
from semcorr_ros.geometry.boxes import box_of
from semcorr_ros.mesh_prior.artifacts import PosedMesh
from semcorr_ros.mesh_prior.fine_surface import Surface
from semcorr_ros.mesh_prior.raycasting import interpolated, lift


@dataclass(frozen=True)
class View:
    """Cells of the feature map whose centre lies on the object."""

    pixels: Float[Tensor, "cell 2"]  # (x, y) of the whole image
    features: Float[Tensor, "cell channel"]  # of the backbone, unit length
    descriptors: Float[
        Tensor, "cell part"
    ]  # of the mesh, unit length; of the nearest cell where none is seen
    vertex: Int[Tensor, "cell"]  # of the surface, below the cell; -1: the mesh is not seen there
    side: float  # longer side of the object's box, pixels
    spheres: Float[Tensor, "cell 3"] | None = None  # of a spherical map, where its filter is wanted

    @property
    def seen(self) -> Bool[Tensor, "cell"]:
        """Tell which cells show the mesh."""
        return self.vertex >= 0


def view_of(
    features: FeatureMap,
    mask: Bool[Tensor, "height width"],
    mesh: PosedMesh,
    surface: Surface,
    described: Float[np.ndarray, "V part"],
) -> View:
    """Rasterize the descriptors of a posed mesh into its picture, first hit in front.

    Cells off the mask are left out; those on it that show no mesh take the descriptor of the nearest that
    does. Raises ValueError where the mask is empty, or where the mesh is nowhere on it.
    """
    inside = grid.cells_of(mask, features)
    if not inside.any():
        raise ValueError("its mask is empty, or smaller than a cell of the features")
    pixels = grid.centers(features)[inside]
    lifted = lift(mesh, surface, pixels)
    if not lifted.met.any():
        raise ValueError("its mesh is nowhere on its mask: the pose is wrong")
    values = interpolated(described, surface, lifted)
    _, nearest = cKDTree(pixels.numpy()[lifted.met]).query(pixels.numpy())
    filled = torch.from_numpy(values[lifted.met][nearest]).float()
    return View(
        pixels=pixels,
        features=features.values[inside],
        descriptors=torch.nn.functional.normalize(filled, dim=-1),
        vertex=torch.from_numpy(lifted.vertex),
        side=float(max(box_of(mask)[2:])),
    )
