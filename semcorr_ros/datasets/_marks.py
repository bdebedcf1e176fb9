"""Whether annotated keypoints and boxes can be pixels of their image at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from semcorr_ros.datasets._listed import box_of

Box = tuple[float, float, float, float]
EDGE = 1.0  # pixel beyond the image: tools that count corners, not centres, mark the border there
PIXELS = "coordinates are pixels of the upright image, x to the right, y down"
BESIDE = 0.5  # of a box's size, around it


def numbers(values: Any, count: int, what: str) -> tuple[float, ...]:
    """Read finite numbers of JSON. Raises ValueError naming `what`."""
    # JSON knows no other numbers: float() would also take "12", and true for 1.
    if not isinstance(values, list) or not all(type(value) in (int, float) for value in values):
        raise ValueError(f"{what} must be {count} numbers, got {shown(values)}")
    read = tuple(map(_as_float, values))
    if len(read) != count or not torch.isfinite(torch.tensor(read)).all():
        raise ValueError(f"{what} must be {count} finite numbers, got {shown(values)}")
    return read


def shown(value: Any) -> str:
    """Write a value of a file so that it fits a line."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def within(
    points: Float[Tensor, "keypoint 2"],
    visible: Bool[Tensor, "keypoint"],
    size: tuple[int, int],
    names: Sequence[str],
) -> tuple[Float[Tensor, "keypoint 2"], Bool[Tensor, "keypoint"], str]:
    """Forget keypoints outside of the image; also return a sentence that names them, or "".

    Raises ValueError where they are shares of the image instead of pixels, or most lie outside.
    """
    known = torch.isfinite(points).all(-1)
    _refuse_shares(points[known], size)
    height, width = size
    limit = torch.tensor([width - 1.0, height - 1.0])
    inside = ((points > -0.5 - EDGE) & (points < limit + 0.5 + EDGE)).all(-1)
    outside = (known & ~inside).nonzero()[:, 0].tolist()
    there = [f"{names[k]} at ({float(points[k, 0]):g}, {float(points[k, 1]):g})" for k in outside]
    points = torch.minimum(points.clamp_min(0.0), limit).where(inside[:, None], torch.nan)
    if not outside:
        return points, visible & inside, ""
    told = f"{len(outside)} of {int(known.sum())} keypoints are outside of the {width}x{height} image"
    if 2 * len(outside) > int(known.sum()):
        raise ValueError(f"{told}; {PIXELS}")
    return points, visible & inside, f"{told}, not used: {', '.join(there)}"


def checked_box(box: Box, points: Float[Tensor, "keypoint 2"], size: tuple[int, int], layout: str) -> Box:
    """Return a box (x1, y1, x2, y2) that fits its keypoints. Raises ValueError; layout: what the file's
    numbers should be."""
    x1, y1, x2, y2 = box
    if x2 <= x1 or y2 <= y1:
        raise ValueError(f"bbox is empty or turned over: its numbers must be {layout}")
    known = points[torch.isfinite(points).all(-1)]
    margin = torch.tensor([x2 - x1, y2 - y1]) * BESIDE
    beside = (known < torch.tensor([x1, y1]) - margin) | (known > torch.tensor([x2, y2]) + margin)
    if 2 * int(beside.any(-1).sum()) > len(known):
        raise ValueError(
            f"most keypoints lie beside the bbox {shown(list(box))}: its numbers must be {layout}"
        )
    return box


def box_from_corner(value: Any, points: Float[Tensor, "keypoint 2"], size: tuple[int, int]) -> Box:
    """Read COCO's bbox x, y, width, height; around the keypoints where there is none. Raises ValueError."""
    if value is None or value == [] or value == [0, 0, 0, 0]:
        return box_of(points, size)
    layout = "x, y, width, height"
    x, y, w, h = numbers(value, 4, "bbox")
    height, width = size
    if (x + w > width + w / 4 or y + h > height + h / 4) and x < w <= width and y < h <= height:
        raise ValueError(
            f"bbox {shown(value)} leaves the {width}x{height} image: x1, y1, x2, y2? COCO's is {layout}"
        )
    return checked_box((x, y, x + w, y + h), points, size, layout)


def _refuse_shares(known: Float[Tensor, "point 2"], size: tuple[int, int]) -> None:
    """A whole object within the first pixel is one in shares of the image."""
    if len(known) == 0 or min(size) < 4 or not ((known > -0.5) & (known < 1.5)).all():
        return
    if len(known) > 1 or (known != known.round()).any():
        raise ValueError(
            f"all keypoints lie between 0 and 1, as shares of the image; multiply x by {size[1]} and y by "
            f"{size[0]}: {PIXELS}"
        )


def _as_float(value: int | float) -> float:
    """Convert to float; infinite where an integer of JSON is larger than any float."""
    try:
        return float(value)
    except OverflowError:
        return float("inf")
