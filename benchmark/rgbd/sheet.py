"""What the node said, drawn over the pictures it was asked about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageDraw
from torch import Tensor

from benchmark.rgbd.asking import Reply
from benchmark.rgbd.frames import Recording

TILE = 300  # pixels a side
LABEL = 30
COLUMNS = 6
TRUE, ANSWERED, REFUSED = (255, 40, 40), (0, 190, 60), (250, 160, 0)
CUT = 2.2  # side of a tile in the picture, as a multiple of the box


def contact_sheet(
    recordings: Mapping[str, Recording], replies: Sequence[Reply]
) -> UInt8[Tensor, "height width 3"]:
    """A tile per reply: red circles are true, green dots answered, orange ones refused."""
    rows = -(-len(replies) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * TILE, rows * (TILE + LABEL)), (250, 250, 250))
    for i, reply in enumerate(replies):
        at = (i % COLUMNS * TILE, i // COLUMNS * (TILE + LABEL))
        sheet.paste(_tile(recordings[reply.frame], reply), at)
    return torch.from_numpy(np.array(sheet))


def _tile(recording: Recording, reply: Reply) -> Image.Image:
    image = Image.fromarray(recording.color)
    left, top, side = _window(image, reply)
    scale = TILE / side
    tile = Image.new("RGB", (TILE, TILE + LABEL), (250, 250, 250))
    part = image.crop((left, top, left + side, top + side)).resize((TILE, TILE))
    tile.paste(part, (0, LABEL))
    draw = ImageDraw.Draw(tile)

    def place(x: float, y: float) -> tuple[float, float]:
        return (x + 0.5 - left) * scale, (y + 0.5 - top) * scale + LABEL

    if reply.box is not None:
        x, y, w, h = reply.box
        draw.rectangle((*place(x, y), *place(x + w, y + h)), outline=(80, 120, 255))
    for x, y in reply.pixels.values():
        _dot(draw, place(x, y), 3, ANSWERED if reply.answered else REFUSED)
    if reply.real:
        for name, (x, y) in recording.objects[reply.thing].keypoints.items():
            _ring(draw, place(x, y))
            if name in reply.pixels:
                draw.line((*place(x, y), *place(*reply.pixels[name])), fill=TRUE)
    draw.rectangle((0, 0, TILE, LABEL), fill=(250, 250, 250))
    right = f"{reply.errors.pck:.2f}" if reply.errors else "-"
    draw.text((3, 2), f"{reply.frame} {reply.thing}, {reply.variant}", fill=(0, 0, 0))
    draw.text((3, 15), f"{reply.code} {reply.confidence:.2f}  PCK {right}", fill=(0, 0, 0))
    return tile


def _window(image: Image.Image, reply: Reply) -> tuple[int, int, int]:
    """Left, top and side of the part of the picture that is shown."""
    if reply.box is None:
        return 0, -(image.width - image.height) // 2, image.width
    x, y, w, h = reply.box
    side = round(CUT / 1.5 * max(w, h))
    return x + w // 2 - side // 2, y + h // 2 - side // 2, side


def _dot(
    draw: ImageDraw.ImageDraw, at: tuple[float, float], radius: float, color: tuple[int, int, int]
) -> None:
    x, y = at
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color)


def _ring(draw: ImageDraw.ImageDraw, at: tuple[float, float]) -> None:
    x, y = at
    draw.ellipse((x - 5, y - 5, x + 5, y + 5), outline=TRUE, width=2)
