"""What the node said, drawn over the pictures it was asked about."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageDraw
from torch import Tensor

from benchmark.depth_cameras.frames import Recording
from benchmark.depth_cameras.replies import Reply
from benchmark.depth_cameras.report import GOOD

TILE = 300  # pixels a side
LABEL = 30
COLUMNS = 6
TRUE, ANSWERED, REFUSED = (255, 40, 40), (0, 190, 60), (250, 160, 0)
CUT = 1.5  # side of a tile in the picture, as a multiple of the box

Point = tuple[float, float]


def contact_sheet(
    recordings: Mapping[str, Recording], replies: Sequence[Reply]
) -> UInt8[Tensor, "height width 3"]:
    """Draw a tile per reply: red circles are true, green dots answered, orange ones refused."""
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

    def place(x: float, y: float) -> Point:
        return (x + 0.5 - left) * scale, (y + 0.5 - top) * scale + LABEL

    _draw_reply(draw, recording, reply, place)
    _draw_label(draw, reply)
    return tile


def _draw_reply(
    draw: ImageDraw.ImageDraw, recording: Recording, reply: Reply, place: Callable[[float, float], Point]
) -> None:
    if reply.box is not None:
        x, y, w, h = reply.box
        draw.rectangle((*place(x, y), *place(x + w, y + h)), outline=(80, 120, 255))
    for at in reply.pixels.values():
        _dot(draw, place(*at), 3, ANSWERED if reply.answered else REFUSED)
    if reply.real:
        for name, at in recording.objects[reply.thing].keypoints.items():
            _ring(draw, place(*at))
            if name in reply.pixels:
                draw.line((*place(*at), *place(*reply.pixels[name])), fill=TRUE)


def _draw_label(draw: ImageDraw.ImageDraw, reply: Reply) -> None:
    """Write what was said, in red where something was answered that is not so."""
    draw.rectangle((0, 0, TILE, LABEL), fill=(250, 250, 250))
    right = f"{reply.errors.pck:.2f}" if reply.errors else "-"
    wrong = reply.answered and not (reply.real and reply.pck >= GOOD)
    ink = TRUE if wrong else (0, 0, 0)
    draw.text((3, 2), f"{reply.frame} {reply.thing}, {reply.variant}", fill=ink)
    draw.text((3, 15), f"{reply.code} {reply.confidence:.2f}  PCK {right}", fill=ink)


def _window(image: Image.Image, reply: Reply) -> tuple[int, int, int]:
    """Return left, top and side of the part of the picture that is shown."""
    if reply.box is None:
        return 0, -(image.width - image.height) // 2, image.width
    x, y, w, h = reply.box
    side = round(CUT * max(w, h))
    return x + w // 2 - side // 2, y + h // 2 - side // 2, side


def _dot(draw: ImageDraw.ImageDraw, at: Point, radius: float, color: tuple[int, int, int]) -> None:
    x, y = at
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color)


def _ring(draw: ImageDraw.ImageDraw, at: Point) -> None:
    x, y = at
    draw.ellipse((x - 5, y - 5, x + 5, y + 5), outline=TRUE, width=2)
