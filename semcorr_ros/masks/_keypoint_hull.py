"""The hull of an image's annotated keypoints, slightly grown: a mask where a class is built without masks.

No plug-in: it reads the annotation, so it must never serve an image to understand, only training images.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.spatial import ConvexHull, QhullError
from torch import Tensor

from semcorr_ros.artifacts import AnnotatedImage, Observation
from semcorr_ros.masks import MaskProvider, Recognizer

GROWTH = 0.05  # of the longer side of the keypoints' box; the outline lies a little beyond the keypoints
MIN_GROWTH = 2.0  # pixels
MIN_KEYPOINTS = 3


@dataclass
class KeypointHull(MaskProvider):
    """Last in the row of mask providers; remembers for the report whom it had to help."""

    helped: list[str] = field(default_factory=list)

    def mask(
        self, sample: AnnotatedImage, seen: Observation, model: Recognizer | None
    ) -> Bool[Tensor, "height width"] | None:
        """Fill the hull; None with fewer than three keypoints inside. Raises ValueError given a class."""
        if model is not None:
            raise ValueError("the hull of annotated keypoints is a mask for building a class only")
        points = _inside(sample)
        if len(points) < MIN_KEYPOINTS:
            return None
        self.helped.append(sample.name)
        return hull_mask(points, sample.size)


def hull_mask(points: Float[Tensor, "point 2"], size: tuple[int, int]) -> Bool[Tensor, "height width"]:
    """Fill the convex hull of three points or more, grown; a grown line where they are collinear."""
    height, width = size
    growth = max(MIN_GROWTH, GROWTH * float((points.amax(0) - points.amin(0)).max()))
    x, y = torch.arange(width, dtype=torch.float64), torch.arange(height, dtype=torch.float64)[:, None]
    mask = torch.ones(height, width, dtype=torch.bool)
    for a, b, c in _edges(points):
        mask &= a * x + b * y + c <= growth
    return mask


def _inside(sample: AnnotatedImage) -> Float[Tensor, "point 2"]:
    h, w = sample.size
    x, y = sample.keypoints.nan_to_num(torch.inf).unbind(-1)
    keep = sample.visible & (x > -0.5) & (y > -0.5) & (x < w - 0.5) & (y < h - 0.5)
    return sample.keypoints[keep].double()


def _edges(points: Tensor) -> list[tuple[float, float, float]]:
    """Bound the hull by half planes a x + b y + c <= 0, (a, b) of unit length."""
    try:
        return [tuple(row) for row in ConvexHull(points.numpy()).equations.tolist()]
    except QhullError:
        middle = points.mean(0)
        along = torch.linalg.svd(points - middle, full_matrices=False).Vh[0].numpy()
        reach = (points - middle).numpy() @ along
        across = np.array([-along[1], along[0]])
        sides = [(along, reach.max()), (-along, -reach.min()), (across, 0.0), (-across, 0.0)]
        return [(float(n[0]), float(n[1]), float(-n @ middle.numpy() - r)) for n, r in sides]
