"""Where a segmenter is told to look, and which of its answers is meant.

While a class is built: at the annotated keypoints, as the authors' release does. Once there is a class: at
what attention finds, because then annotations are what is to be predicted.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from semcorr_ros.artifacts import AnnotatedImage, Observation
from semcorr_ros.masks import Recognizer
from semcorr_ros.masks.attention import find_object

Box = tuple[float, float, float, float]  # x1, y1, x2, y2, pixels

POINTS = 5  # of a region
MIN_DEPTH = 0.3  # of a point inside a region, as a share of the deepest one's distance to the outline
APART = 1.5  # times the distance to the outline, between two points


@dataclass(frozen=True)
class Prompt:
    """At least one of points and box says something."""

    points: Float[Tensor, "point 2"]  # pixels, all on the object
    box: Box | None = None
    region: Bool[Tensor, "height width"] | None = None  # roughly the object, as attention found it

    def tensors(self) -> tuple[Tensor, ...]:
        """List the whole prompt as tensors, for a cache key."""
        box = torch.tensor(self.box or (), dtype=torch.float64)
        region = torch.zeros(0, 0, dtype=torch.bool) if self.region is None else self.region
        return self.points, box, region


def prompt_for(sample: AnnotatedImage, seen: Observation, model: Recognizer | None) -> Prompt | None:
    """Make a prompt from mask, class or annotation; None where it shows nothing."""
    if seen.mask is not None:
        region = seen.mask
    elif model is not None:
        region = find_object(model, seen)
    else:
        return _from_annotation(sample)
    return from_region(region) if region.any() else None


def _from_annotation(sample: AnnotatedImage) -> Prompt | None:
    points = sample.keypoints[sample.visible & torch.isfinite(sample.keypoints).all(-1)]
    h, w = sample.size
    x1, y1, x2, y2 = sample.bbox
    box = None if x1 <= 0 and y1 <= 0 and x2 >= w - 1 and y2 >= h - 1 else sample.bbox
    return None if len(points) == 0 and box is None else Prompt(points.float(), box)


def from_region(region: Bool[Tensor, "height width"]) -> Prompt:
    """Prompt with a region's box and points far from its uncertain outline and from each other."""
    cells = region.cpu().numpy()
    rows, columns = np.nonzero(cells)
    box = (float(columns.min()), float(rows.min()), float(columns.max()), float(rows.max()))
    # The border of the image is not an outline of the object, unless nothing else is.
    framed = np.pad(cells, 1, constant_values=not cells.all()).astype(np.uint8)
    depth = cv2.distanceTransform(framed, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    depth = np.sqrt(np.rint(depth.astype(np.float64) ** 2))  # of whole numbers, exactly
    y, x = np.indices(cells.shape)
    deepest = float(depth.max())
    points: list[tuple[float, float]] = []
    while len(points) < POINTS and depth.max() > MIN_DEPTH * deepest:
        row, column = np.unravel_index(int(depth.argmax()), depth.shape)
        points.append((float(column), float(row)))
        reach = APART * depth[row, column]
        depth = np.where((x - column) ** 2 + (y - row) ** 2 > reach**2, depth, 0)
    return Prompt(torch.tensor(points), box, region)


def agreement(masks: Bool[Tensor, "mask height width"], prompt: Prompt) -> Float[Tensor, "mask"]:
    """Rate how well masks fit the prompt, [0, 1]: IoU with its region, else the share of its points
    inside, else IoU with its box."""
    if prompt.region is not None:
        return overlap(masks, prompt.region.to(masks.device))
    h, w = masks.shape[-2:]
    if len(prompt.points):
        x, y = prompt.points.to(masks.device).round().long().T
        return masks[:, y.clamp(0, h - 1), x.clamp(0, w - 1)].float().mean(-1)
    return overlap(masks, _filled(prompt.box, (h, w)).to(masks.device))


def overlap(
    masks: Bool[Tensor, "mask height width"], region: Bool[Tensor, "height width"]
) -> Float[Tensor, "mask"]:
    """Compute intersection over union."""
    both, either = (masks & region).sum((-2, -1)), (masks | region).sum((-2, -1))
    return both / either.clamp_min(1)


def _filled(box: Box | None, size: tuple[int, int]) -> Bool[Tensor, "height width"]:
    inside = torch.zeros(size, dtype=torch.bool)
    if box is not None:
        x1, y1, x2, y2 = (round(value) for value in box)
        inside[max(0, y1) : y2 + 1, max(0, x1) : x2 + 1] = True
    return inside
