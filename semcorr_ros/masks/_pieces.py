"""Connected pieces of a mask. Pixels touch along their sides, not at their corners."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


def label(
    mask: Bool[np.ndarray, "height width"],
) -> tuple[Int[np.ndarray, "height width"], Int[np.ndarray, "label"]]:
    """Number the pieces from 1 and count the pixels of every label; 0 is what lies outside the mask."""
    _, labels, found, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    return labels, found[:, cv2.CC_STAT_AREA]


def largest(mask: Bool[Tensor, "height width"]) -> Bool[Tensor, "height width"]:
    """Keep the piece with most pixels; nothing of an empty mask."""
    labels, areas = label(mask.cpu().numpy())
    if len(areas) == 1:
        return torch.zeros_like(mask)
    return torch.from_numpy(labels == 1 + areas[1:].argmax()).to(mask.device)


def grown(mask: Bool[np.ndarray, "height width"], pixels: int) -> Bool[np.ndarray, "height width"]:
    """Dilate a mask by its 4-neighbours, `pixels` times."""
    return cv2.dilate(mask.astype(np.uint8), CROSS, iterations=pixels) > 0
