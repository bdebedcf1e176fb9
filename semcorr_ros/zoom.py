"""Encode the object alone, once it is known where it is: finer cells, and the same scale every time."""

from __future__ import annotations

from dataclasses import replace

import cv2
import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from semcorr_ros.artifacts import FeatureMap
from semcorr_ros.features import FeatureExtractor, ImageRef
from semcorr_ros.geometry.boxes import Box, box_of

MARGIN = 0.2  # of the longer side of the object's box, on every side
LARGEST = 0.7  # share of the image's pixels above which a window would gain nothing
SMALLEST = 32  # pixels


def encode_object(
    ref: ImageRef, mask: Bool[Tensor, "height width"] | None, extractor: FeatureExtractor
) -> FeatureMap:
    """Encode the window around an object alone.

    The whole image without a mask, where the object fills it, and for extractors that do not compute features
    from pixels. Raises as `FeatureExtractor.encode`.
    """
    window = object_window(mask) if mask is not None and extractor.from_pixels else None
    return extractor.encode(ref) if window is None else encode_window(ref, window, extractor)


def encode_window(ref: ImageRef, window: Box, extractor: FeatureExtractor) -> FeatureMap:
    """Encode a window of the image; the features know where in the image they are."""
    x, y, width, height = window
    part = ref.image[y : y + height, x : x + width].contiguous()
    features = extractor.encode(replace(ref, image=part))
    size = ref.image.shape[0], ref.image.shape[1]
    return replace(features, image_size=size, window=window)


def object_window(mask: Bool[Tensor, "height width"]) -> Box | None:
    """Return a square around the True pixels, with a margin, clipped at the image's border.

    None where there is nothing, or where the window would hardly be smaller than the image.
    """
    if not mask.any():
        return None
    x, y, w, h = box_of(mask)
    ends = torch.tensor([[x, x + w - 1], [y, y + h - 1]]).float()  # (x, y) by (first, last)
    side = max(SMALLEST, float((ends[:, 1] - ends[:, 0] + 1).max()) * (1 + 2 * MARGIN))
    height, width = mask.shape
    limit = torch.tensor([width, height]).float()
    center = (ends.sum(1) + 1) / 2
    low = (center - side / 2).round().clamp_min(0)
    high = torch.minimum((center + side / 2).round(), limit)
    (x, y), (w, h) = low.int().tolist(), (high - low).int().tolist()
    return None if w * h > LARGEST * width * height else (x, y, w, h)


def coarsened(image: UInt8[Tensor, "height width 3"], shrink: float) -> UInt8[Tensor, "height width 3"]:
    """Shrink an image on the CPU and enlarge it to its size again: what a camera sees from farther away."""
    height, width = image.shape[:2]
    small = cv2.resize(
        image.numpy(),
        (max(1, round(shrink * width)), max(1, round(shrink * height))),
        interpolation=cv2.INTER_AREA,
    )
    return torch.from_numpy(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))
