"""A picture to draw on: smooth discs, lines and labels that do not cover each other.

Positions are pixels of the original image (centre of the first pixel at 0), whatever size the
canvas has. Everything but labels is drawn at twice the canvas's size and reduced, which smooths it.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

Color = tuple[int, int, int]
Point = Sequence[float]
Box = tuple[float, float, float, float]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
SMOOTHING = 2
WHITE, BLACK = (255, 255, 255), (0, 0, 0)
FONT_PX = 17
MARK_PX = 9  # half side of the square around a labelled point that is kept free of labels
GOLDEN = 0.61803398875  # consecutive hues far apart, however many there are


class Canvas:
    """An enlarged copy of an image. Sizes given to its methods are canvas pixels."""

    def __init__(self, image: UInt8[Tensor, "height width 3"], longer_side: int = 1280) -> None:
        height, width = image.shape[:2]
        self.scale = max(1.0, longer_side / max(height, width))
        size = (round(width * self.scale), round(height * self.scale))
        self._picture = Image.fromarray(image.cpu().numpy()).resize(size, Image.Resampling.BICUBIC)
        self._layer = self._empty_layer()
        self._labels: list[_Label] = []
        self._taken: list[Box] = []

    @property
    def size(self) -> tuple[int, int]:
        """Return (width, height) of the canvas."""
        return self._picture.size

    def dot(self, point: Point, radius: float, color: Color, alpha: int = 255) -> None:
        """Draw a filled disc."""
        x, y = self._place(point)
        r = radius * SMOOTHING
        ImageDraw.Draw(self._layer).ellipse((x - r, y - r, x + r, y + r), fill=(*color, alpha))

    def ring(self, point: Point, radius: float, color: Color, width: float = 2.5) -> None:
        """Draw a circle, not filled."""
        x, y = self._place(point)
        r = radius * SMOOTHING
        box = (x - r, y - r, x + r, y + r)
        ImageDraw.Draw(self._layer).ellipse(box, outline=(*color, 255), width=round(width * SMOOTHING))

    def cross(self, point: Point, radius: float, color: Color, width: float = 2.5) -> None:
        """Draw a diagonal cross."""
        x, y = self._place(point)
        r = radius * SMOOTHING
        draw = ImageDraw.Draw(self._layer)
        for dy in (-r, r):
            draw.line((x - r, y - dy, x + r, y + dy), fill=(*color, 255), width=round(width * SMOOTHING))

    def line(self, start: Point, end: Point, color: Color, width: float = 2.5, alpha: int = 255) -> None:
        """Draw a straight line."""
        ends = [self._place(start), self._place(end)]
        ImageDraw.Draw(self._layer).line(ends, fill=(*color, alpha), width=round(width * SMOOTHING))

    def dashes(self, start: Point, end: Point, color: Color, width: float = 2.5, alpha: int = 255) -> None:
        """Draw a dashed line."""
        (x1, y1), (x2, y2) = start, end
        pieces = max(1, round(math.hypot(x2 - x1, y2 - y1) * self.scale / 7))
        for i in range(0, pieces, 2):
            a, b = i / pieces, min(1.0, (i + 1) / pieces)
            begin, finish = (x1 + a * (x2 - x1), y1 + a * (y2 - y1)), (x1 + b * (x2 - x1), y1 + b * (y2 - y1))
            self.line(begin, finish, color, width, alpha)

    def label(self, point: Point, text: str, color: Color = WHITE, region: Box | None = None) -> None:
        """Write text beside a point, where no other label, labelled point or border is in the way.

        region: canvas pixels x1, y1, x2, y2 that it should not leave, instead of the whole canvas.
        """
        x, y = (value / SMOOTHING for value in self._place(point))
        self._labels.append(_Label((x, y), text, color, region or (0, 0, *self.size)))
        self._taken.append((x - MARK_PX, y - MARK_PX, x + MARK_PX, y + MARK_PX))

    def caption(self, text: str, color: Color = WHITE) -> None:
        """Write a line of text in the top left corner."""
        self._labels.insert(0, _Label(None, text, color, (0, 0, *self.size)))

    def inside(self, point: Point) -> bool:
        """Tell whether a point lies on the picture."""
        x, y = self._place(point)
        width, height = self.size
        return 0 <= x < width * SMOOTHING and 0 <= y < height * SMOOTHING

    def finish(self) -> Image.Image:
        """Return the picture with everything drawn so far."""
        layer = self._layer.resize(self._picture.size, Image.Resampling.BOX)
        picture = Image.alpha_composite(self._picture.convert("RGBA"), layer).convert("RGB")
        draw = ImageDraw.Draw(picture)
        font = ImageFont.load_default(FONT_PX)
        for label in self._labels:
            self._write(draw, font, label)
        return picture

    def tensor(self) -> UInt8[Tensor, "height width 3"]:
        """Return `finish` as an RGB tensor."""
        return torch.from_numpy(np.array(self.finish()))

    def _empty_layer(self) -> Image.Image:
        width, height = self._picture.size
        return Image.new("RGBA", (width * SMOOTHING, height * SMOOTHING), (0, 0, 0, 0))

    def _place(self, point: Point) -> tuple[float, float]:
        factor = self.scale * SMOOTHING
        return (float(point[0]) + 0.5) * factor - 0.5, (float(point[1]) + 0.5) * factor - 0.5

    def _write(self, draw: ImageDraw.ImageDraw, font: Font, label: _Label) -> None:
        left, top, right, bottom = draw.textbbox((0, 0), label.text, font=font)
        box = self._free_box(label, right - left + 8, bottom - top + 6)
        self._taken.append(box)
        draw.rounded_rectangle(box, radius=4, fill=(25, 25, 28))
        # Half way to white: pure blue on dark is illegible.
        light = tuple((value + 255) // 2 for value in label.color)
        draw.text((box[0] + 4 - left, box[1] + 3 - top), label.text, fill=light, font=font)

    def _free_box(self, label: _Label, width: float, height: float) -> Box:
        if label.at is None:
            return 6, 6, 6 + width, 6 + height
        candidates = []
        for reach in (10, 24, 40, 60, 84, 110):
            for angle in range(0, 360, 30):
                x = label.at[0] + math.cos(math.radians(angle)) * (reach + width / 2)
                y = label.at[1] + math.sin(math.radians(angle)) * (reach + height / 2)
                box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
                candidates.append((self._overlap(box, label.region), reach, box))
        return min(candidates, key=lambda c: c[:2])[2]

    def _overlap(self, box: Box, region: Box) -> float:
        """Add up the area shared with other labels and marks, and lying outside the region."""
        outside = (box[2] - box[0]) * (box[3] - box[1]) - _shared(box, region)
        return round(sum(_shared(box, other) for other in self._taken) + 4 * outside, 3)


@dataclass(frozen=True)
class _Label:
    at: tuple[float, float] | None  # canvas pixels; None: the top left corner
    text: str
    color: Color
    region: Box


def _shared(a: Box, b: Box) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return max(0.0, width) * max(0.0, height)


def resized(
    image: UInt8[Tensor, "height width 3"], size: tuple[int, int], mode: str = "bicubic"
) -> UInt8[Tensor, "height_r width_r 3"]:
    """Resize an image to (h, w), antialiased unless `mode` is "nearest"."""
    smooth = {} if mode == "nearest" else {"align_corners": False, "antialias": True}
    values = image.cpu().permute(2, 0, 1)[None].float()
    values = torch.nn.functional.interpolate(values, size=size, mode=mode, **smooth)
    return values[0].permute(1, 2, 0).round().clamp(0, 255).to(torch.uint8)


def distinct(count: int) -> list[tuple[int, int, int]]:
    """Choose bright colors, each far from the ones before it."""
    colors = [
        colorsys.hsv_to_rgb((0.02 + i * GOLDEN) % 1.0, 0.75 if i % 2 else 0.9, 1.0) for i in range(count)
    ]
    return [(round(255 * r), round(255 * g), round(255 * b)) for r, g, b in colors]


def by_position(points: Float[Tensor, "point 3"]) -> UInt8[Tensor, "point 3"]:
    """Color points by canonical x, y, z as red, green, blue: the same in all pictures of a class."""
    low, high = points.amin(0), points.amax(0)
    share = (points - low) / (high - low).clamp_min(1e-6)
    return (255 * (0.15 + 0.85 * share)).round().to(torch.uint8)
