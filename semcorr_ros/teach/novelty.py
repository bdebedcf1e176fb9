"""When a camera's picture is worth taking by itself: it is sharp, and unlike those that were taken."""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np
from jaxtyping import UInt8
from torch import Tensor

SIDE = 24  # of what pictures are compared by, pixels
CHANGED = 0.12  # 1 - correlation with the most similar picture taken
SHARP = 0.7  # share of the usual sharpness below which a picture is blurred
REMEMBERED = 30  # pictures that tell what is usual


class Novelty:
    """Remembers what was taken."""

    def __init__(self) -> None:
        self._taken: list[np.ndarray] = []
        self._sharp: deque[float] = deque(maxlen=REMEMBERED)

    def worth(self, image: UInt8[Tensor, "height width 3"]) -> bool:
        """Tell whether to take a picture now."""
        gray = _gray(image)
        sharpness = float(cv2.Laplacian(gray, cv2.CV_32F).var())
        self._sharp.append(sharpness)
        if sharpness < SHARP * float(np.median(self._sharp)):
            return False
        return self.change(image) > CHANGED

    def change(self, image: UInt8[Tensor, "height width 3"]) -> float:
        """Measure how unlike the pictures taken it is: 0 the same, 1 nothing in common."""
        sign = _sign(_gray(image))
        return min((1 - float((sign * other).sum()) for other in self._taken), default=1.0)

    def take(self, image: UInt8[Tensor, "height width 3"]) -> None:
        """Remember a picture that was taken."""
        self._taken.append(_sign(_gray(image)))


def _gray(image: UInt8[Tensor, "height width 3"]) -> np.ndarray:
    pixels = image.cpu().numpy()
    shrink = min(1.0, 320 / max(pixels.shape[:2]))
    size = (max(1, round(pixels.shape[1] * shrink)), max(1, round(pixels.shape[0] * shrink)))
    return np.asarray(
        cv2.cvtColor(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    )


def _sign(gray: np.ndarray) -> np.ndarray:
    small = cv2.resize(gray, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    centered = small - small.mean()
    return centered / max(float(np.linalg.norm(centered)), 1e-6)
