"""Otsu's threshold (1979): the split of a histogram that separates two classes best."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float
from torch import Tensor

BINS = 128  # of the 256 that OpenCV has: all constants were chosen with these


def otsu_threshold(values: Float[Tensor, "*size"]) -> float | None:
    """Find Otsu's threshold of the values; None where all are equal."""
    flat = values.flatten().double().cpu().numpy()
    lowest, width = flat.min(), np.ptp(flat) / BINS
    if width * BINS < 1e-6:
        return None
    bins = np.minimum((flat - lowest) / width, BINS - 1).astype(np.uint8)
    split, _ = cv2.threshold(bins, 0, 255, cv2.THRESH_OTSU)
    return float(lowest + (split + 1) * width)
