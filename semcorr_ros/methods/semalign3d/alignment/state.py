"""What the energy terms see: the image as evidence, and the hypotheses as they stand at one step.

All image quantities are in normalized image coordinates: (pixel - principal point) / S, with y stretched
by fx / fy so that one focal length serves both axes. S is the longer side of the part of the image that
counts: what is around a small object must not dilute the evidence about it. Lengths in the camera frame
are in working units: the class's canonical unit times a free scale close to 1, so that the paper's
learning rate means the same for a mug and for a car.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

MIN_DEPTH = 0.05  # working units; a point behind the camera projects as if it were this far in front


@dataclass(frozen=True)
class ImageFrame:
    """Maps pixels to normalized image coordinates and back."""

    center: Float[Tensor, "*image 2"]  # principal point, pixels
    pixels_per_unit: Float[Tensor, "*image 2"]  # S, in y times fy / fx
    image: float = 1.0  # longer side of the whole image, normalized

    def normalize(self, pixels: Float[Tensor, "*batch 2"]) -> Float[Tensor, "*batch 2"]:
        """Convert pixels to normalized image coordinates."""
        return (pixels - self.center) / self.pixels_per_unit


@dataclass(frozen=True)
class ImageSamples:
    """Image points drawn by attention (Eq. 7), with features and depth there."""

    points: Float[Tensor, "*image sample 2"]  # normalized image coordinates
    log_semantic: Float[Tensor, "*image sample point"]  # log p_sem against every class point (Eq. 4)
    relief: Float[Tensor, "*image sample"]  # depth / object depth - 1; 0 where there is no valid depth
    relief_weight: Float[Tensor, "*image sample"]  # weight of a squared relief error; 0 = no valid depth
    measured: Bool[Tensor, "*image sample"]  # whether there is valid depth, whatever it weighs

    def subset(self, rows: Int[Tensor, "batch"]) -> ImageSamples:
        """Take the given rows only."""
        return ImageSamples(*(getattr(self, column.name)[rows] for column in fields(self)))


@dataclass(frozen=True)
class BackgroundGrid:
    """Share of background per cell of a regular grid over the part of the image that counts."""

    share: Float[Tensor, "*image row column"]  # in [0, 1]
    origin: Float[Tensor, "*image 2"]  # normalized coordinates (x, y) of the centre of cell (0, 0)
    step: Float[Tensor, "*image 2"]  # cell size (x, y), normalized


@dataclass(frozen=True)
class Evidence:
    """The image, reduced to what the energy needs. Built once per image by evidence.py.

    `image` dimensions are those of a batch of images; of one image, there are none.
    """

    frame: ImageFrame
    dense: ImageSamples  # against the dense cloud
    sparse: ImageSamples  # against the keypoints
    background: BackgroundGrid
    visibility: bool  # only class points on the near side may explain a pixel
    center: Float[Tensor, "*image 2"]  # centroid of the object in the image, normalized
    radius: float  # RMS distance of the object's pixels to the centroid, normalized
    object_depth: float  # median depth of the object's surface, in depth units; 0 = no depth
    focal: float | None  # known focal length, normalized
    relative_depth: bool = False  # Eq. 12 in units of d_target, not of the object's radius
    # Nearest relief measured in and around each cell of `background`: what is nearer than that is empty. -inf
    # where nothing was measured; None without depth.
    nearest: Float[Tensor, "row column"] | None = None
    # x, y (normalized) and relief of measured points of the object, evenly drawn; None without depth.
    measured: Float[Tensor, "point 3"] | None = None


@dataclass(frozen=True)
class State:
    """All hypotheses at one optimisation step, and the image points this step looks at."""

    keypoints: Float[Tensor, "hypothesis keypoint 3"]  # camera frame, working units
    dense: Float[Tensor, "hypothesis point 3"]
    log_visible: Float[Tensor, "hypothesis point"]  # of the dense points
    log_visible_sparse: Float[Tensor, "hypothesis keypoint"]
    focal: Float[Tensor, "hypothesis"]  # normalized
    surface_depth: Float[Tensor, "hypothesis"]  # working depth that object_depth corresponds to
    sigma_dense: float  # normalized
    sigma_sparse: float
    dense_samples: ImageSamples
    sparse_samples: ImageSamples


def project(points: Float[Tensor, "hypothesis point 3"], state: State) -> Float[Tensor, "hypothesis point 2"]:
    """Project camera-frame points to normalized image coordinates."""
    return state.focal[:, None, None] * points[..., :2] / points[..., 2:].clamp_min(MIN_DEPTH)


def project_with_relief(
    points: Float[Tensor, "hypothesis point 3"], state: State
) -> Float[Tensor, "hypothesis point 3"]:
    """Project to normalized image coordinates and relief: focal * (z / surface depth - 1).

    A step along the optical axis then counts as much as the same step across it, so distances in
    these coordinates extend Eq. 5 by depth.
    """
    relief = state.focal[:, None, None] * (points[..., 2:] / state.surface_depth[:, None, None] - 1)
    return torch.cat([project(points, state), relief], dim=-1)
