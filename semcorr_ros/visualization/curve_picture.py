"""Losses over the steps of a training run: learned from, and held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from semcorr_ros.visualization.canvas import distinct

PANEL = (360, 240)  # width, height in pixels
EDGE = 44
INK, PALE = (60, 60, 60), (205, 205, 205)
HELD_OUT = "held_out_"


def curve_picture(rows: Sequence[Mapping[str, float]]) -> UInt8[Tensor, "height width 3"]:
    """Draw a panel per loss: a line for what is learned from, a thick one for what is held out.

    rows: `step` and losses by name, those held out with the prefix `held_out_`. Raises ValueError without a
    row.
    """
    if not rows:
        raise ValueError("nothing to draw")
    names = sorted(name for name in rows[0] if name != "step" and not name.startswith(HELD_OUT))
    sheet = Image.new("RGB", (len(names) * (PANEL[0] + EDGE) + EDGE, PANEL[1] + 2 * EDGE), "white")
    draw = ImageDraw.Draw(sheet)
    for i, name in enumerate(names):
        corner = EDGE + i * (PANEL[0] + EDGE), EDGE
        _panel(draw, corner, rows, name, distinct(len(names))[i])
    return torch.from_numpy(np.array(sheet))


def _panel(
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    rows: Sequence[Mapping[str, float]],
    name: str,
    color: tuple[int, int, int],
) -> None:
    lines = {key: [(row["step"], row[key]) for row in rows if key in row] for key in (name, HELD_OUT + name)}
    top = max([value for line in lines.values() for _, value in line] + [1e-6])
    last = max(row["step"] for row in rows)
    x, y = corner
    font = ImageFont.load_default(14)
    draw.rectangle((x, y, x + PANEL[0], y + PANEL[1]), outline=PALE)
    draw.text((x, y - 20), f"{name.replace('_', ' ')}, 0 to {top:.3g}", fill=INK, font=font)
    draw.text((x, y + PANEL[1] + 4), f"{last:g} steps; thick: held out", fill=INK, font=font)
    for key, line in lines.items():
        points = [
            (x + PANEL[0] * step / max(last, 1), y + PANEL[1] * (1 - max(value, 0) / top))
            for step, value in line
        ]
        thick = key.startswith(HELD_OUT)
        draw.line(points, fill=color if thick else PALE, width=4 if thick else 2)
