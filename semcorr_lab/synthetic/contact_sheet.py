"""Many small renderings on one page, with their keypoints: left red, right blue, middle green;
filled where visible, hollow where hidden."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from semcorr_lab.synthetic.render import Rendering
from semcorr_ros.artifacts import CategoryInfo

_COLORS = {"left": (235, 40, 40), "right": (40, 140, 255), "": (30, 200, 60)}
_RADIUS = 4
_LEGEND_WIDTH = 190


def contact_sheet(
    rows: list[tuple[CategoryInfo, list[Rendering]]], tile_width: int = 400
) -> UInt8[np.ndarray, "height width 3"]:
    """Draw one row per category: its pictures and, at the left, the names of its keypoints."""
    images = [[_draw(info, rendering, tile_width) for rendering in pictures] for info, pictures in rows]
    tall = max(tile.height for row in images for tile in row)
    wide = max(len(row) for row in images) * tile_width + _LEGEND_WIDTH
    sheet = Image.new("RGB", (wide, tall * len(rows)), (250, 250, 250))
    for i, ((info, _), row) in enumerate(zip(rows, images, strict=True)):
        _legend(ImageDraw.Draw(sheet), info, i * tall)
        for j, tile in enumerate(row):
            sheet.paste(tile, (_LEGEND_WIDTH + j * tile_width, i * tall))
    return np.asarray(sheet)


def _color(name: str) -> tuple[int, int, int]:
    side = next((word for word in name.split("_") if word in ("left", "right")), "")
    return _COLORS[side]


def _draw(info: CategoryInfo, rendering: Rendering, width: int) -> Image.Image:
    image = Image.fromarray(rendering.image)
    scale = width / image.width
    image = image.resize((width, round(image.height * scale)), Image.Resampling.BILINEAR)
    draw = ImageDraw.Draw(image)
    # Pixel centers are whole numbers, so the half pixel is added before and taken off after scaling.
    points = (rendering.keypoints + 0.5) * scale - 0.5
    for a, b in info.edges:
        if np.isfinite(points[[a, b]]).all():
            draw.line([tuple(points[a]), tuple(points[b])], fill=(255, 255, 255), width=1)
    for i in np.flatnonzero(np.isfinite(points).all(1)):
        (x, y), color = points[i], _color(info.keypoint_names[i])
        box = (x - _RADIUS, y - _RADIUS, x + _RADIUS, y + _RADIUS)
        draw.ellipse(box, fill=color if rendering.visible[i] else None, outline=color)
        draw.text((x + _RADIUS + 1, y - _RADIUS - 2), str(i), fill=(255, 230, 0))
    return image


def _legend(draw: ImageDraw.ImageDraw, info: CategoryInfo, top: int) -> None:
    draw.text((6, top + 4), info.name, fill=(0, 0, 0))
    for i, name in enumerate(info.keypoint_names):
        draw.text((6, top + 22 + 14 * i), f"{i:2d} {name}", fill=_color(name))
