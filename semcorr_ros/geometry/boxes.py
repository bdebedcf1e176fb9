"""Boxes of whole pixels."""

from __future__ import annotations

from jaxtyping import Bool
from torch import Tensor

Box = tuple[int, int, int, int]  # x, y, width, height in pixels


def box_of(mask: Bool[Tensor, "height width"]) -> Box:
    """Return the smallest box around the True pixels, of which there is one at least."""
    rows, columns = mask.any(1).nonzero()[:, 0], mask.any(0).nonzero()[:, 0]
    x, y = int(columns[0]), int(rows[0])
    return x, y, int(columns[-1]) - x + 1, int(rows[-1]) - y + 1


def widened(box: Box, size: tuple[int, int], share: float) -> Box:
    """Add a share of its longer side to a box on every side, and cut it at the border of an image (h, w)."""
    x, y, w, h = box
    margin = round(share * max(w, h))
    left, top = max(0, x - margin), max(0, y - margin)
    return left, top, min(size[1], x + w + margin) - left, min(size[0], y + h + margin) - top


def intersection_over_union(a: Box, b: Box) -> float:
    """Compute the overlap of two boxes, in [0, 1]."""
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    both = max(0, w) * max(0, h)
    return both / (a[2] * a[3] + b[2] * b[3] - both)
