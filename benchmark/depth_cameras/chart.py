"""A picture of calibration: the share of right answers over their confidence, and how many there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageDraw
from torch import Tensor

from benchmark.depth_cameras.calibration import BINS, Bin, expected_error

SIDE, EDGE, BARS = 420, 84, 110  # pixels: of the curve's square, around it, height of the counts
FLOOR = EDGE + SIDE + 80 + BARS  # of the counts
INK, FAINT, GRID = (30, 30, 30), (150, 150, 150), (232, 232, 232)
COLORS = {"depth": (30, 90, 200), "color": (215, 110, 20)}
NAMES = {"depth": "with depth", "color": "color alone"}
TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def chart(curves: Mapping[str, Sequence[Bin]]) -> UInt8[Tensor, "height width 3"]:
    """Draw both curves over each other, and the counts of their bins below."""
    sheet = Image.new("RGB", (SIDE + 2 * EDGE, FLOOR + 30), "white")
    draw = ImageDraw.Draw(sheet)
    _axes(draw)
    for i, (variant, bins) in enumerate(curves.items()):
        _curve(draw, bins, COLORS[variant])
        _counts(draw, bins, COLORS[variant], (i, _tallest(curves)))
        _legend(draw, variant, bins, EDGE - 36 + 16 * i)
    return torch.from_numpy(np.array(sheet))


def _legend(draw: ImageDraw.ImageDraw, variant: str, bins: Sequence[Bin], top: int) -> None:
    error = expected_error(bins)
    said = f"{NAMES[variant]}: {sum(one.count for one in bins)} placements"
    said += "" if error is None else f", confidence off by {error:.2f} on average"
    draw.rectangle((EDGE, top + 2, EDGE + 10, top + 12), fill=COLORS[variant])
    draw.text((EDGE + 18, top), said, fill=INK)


def _axes(draw: ImageDraw.ImageDraw) -> None:
    for tick in TICKS:
        draw.line((*_at(tick, 0), *_at(tick, 1)), fill=GRID)
        draw.line((*_at(0, tick), *_at(1, tick)), fill=GRID)
        x, y = _at(tick, 0)
        draw.text((x - 8, y + 6), f"{tick:.1f}", fill=INK)
        x, y = _at(0, tick)
        draw.text((x - 26, y - 6), f"{tick:.1f}", fill=INK)
    draw.line((*_at(0, 0), *_at(1, 1)), fill=FAINT)
    draw.rectangle((*_at(0, 1), *_at(1, 0)), outline=INK)
    over, under = EDGE - 76, EDGE + SIDE
    draw.text((EDGE, over), "share of right placements (PCK@0.1 >= 0.5) over confidence", fill=INK)
    draw.text((EDGE, over + 18), "what is placed on another thing is never right; grey: ideal", fill=INK)
    draw.text((EDGE + SIDE // 2 - 30, under + 22), "confidence", fill=INK)
    draw.text((EDGE, under + 40), "placements per bin", fill=INK)


def _curve(draw: ImageDraw.ImageDraw, bins: Sequence[Bin], color: tuple[int, int, int]) -> None:
    points = [
        _at(one.confidence, one.share) for one in bins if one.confidence is not None and one.share is not None
    ]
    if len(points) > 1:
        draw.line(points, fill=color, width=2)
    for x, y in points:
        draw.ellipse((x - 5, y - 5, x + 5, y + 5), fill=color)


def _counts(
    draw: ImageDraw.ImageDraw, bins: Sequence[Bin], color: tuple[int, int, int], place: tuple[int, int]
) -> None:
    """Draw a bar per bin. place: which of the two in a bin, and the largest count of all."""
    which, tallest = place
    wide = SIDE / BINS
    for i, one in enumerate(bins):
        if one.count:
            left = EDGE + i * wide + 3 + which * (wide / 2 - 2)
            top = FLOOR - BARS * one.count / tallest
            draw.rectangle((left, top, left + wide / 2 - 4, FLOOR), fill=color)
            draw.text((left + 1, top - 12), str(one.count), fill=INK)
    draw.line((EDGE, FLOOR, EDGE + SIDE, FLOOR), fill=INK)


def _tallest(curves: Mapping[str, Sequence[Bin]]) -> int:
    return max([one.count for bins in curves.values() for one in bins] + [1])


def _at(across: float, up: float) -> tuple[float, float]:
    return EDGE + SIDE * across, EDGE + SIDE * (1 - up)
