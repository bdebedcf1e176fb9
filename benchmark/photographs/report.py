"""Results to a table, and test photographs with the class in them to a contact sheet."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import UInt8
from PIL import Image, ImageDraw
from torch import Tensor

from benchmark.photographs import runs
from semcorr_ros.answer import Answer, subset
from semcorr_ros.evaluation.views import FAILURES, Setup, Views
from semcorr_ros.files.picture import read_image
from semcorr_ros.visualization.overlay import draw_answer

TILE = 360  # pixels, longer side
SURE = 0.5  # confidence from which an answer counts as confident
GOOD = 0.5  # share of keypoints within 0.1 of the box from which a photograph counts as right
LABEL = 18


def table(results: Sequence[dict[str, Any]]) -> str:
    """Markdown: one line per category and number of training photographs, means over splits, percent."""
    lines = [
        "| class | training photos | splits | nearest neighbour | window soft-argmax | aligned |"
        " own keypoints | wrong and sure |",
        "|" + "---|" * 8,
    ]
    for category, count in dict.fromkeys((r["category"], r["training"]) for r in results):
        rows = [r for r in results if (r["category"], r["training"]) == (category, count)]
        cells = [_pair_cell(rows, method) for method in runs.COMPARED]
        own = _cell([[p["pck"][str(a)] for r in rows for p in r["photos"]] for a in runs.ALPHAS])
        wrong = sum(is_wrong(p) and p["confidence"] > SURE for r in rows for p in r["photos"])
        shown = sum(len(r["photos"]) for r in rows)
        lines.append(
            f"| {category} | {count} | {len(rows)} | {' | '.join(cells)} | {own} | {wrong} of {shown} |"
        )
    return "\n".join(lines)


def is_wrong(photo: dict[str, Any]) -> bool:
    """Most of the class's keypoints are somewhere else: turned to a wrong side, or not on the object."""
    return bool(photo["pck"]["0.1"] < GOOD)


def contact_sheet(found: Setup, outcome: runs.Outcome) -> UInt8[Tensor, "h w 3"]:
    """Every test photograph, the worst first, with the class in it; red circles: where keypoints are."""
    order = sorted(outcome.photos, key=lambda photo: (photo.pck["0.1"], photo.pck["0.05"], photo.name))
    tiles = [_tile(found, outcome.views, photo) for photo in order]
    columns = min(6, len(tiles))
    tall = TILE + LABEL
    rows = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (columns * TILE, rows * tall), (250, 250, 250))
    for i, tile in enumerate(tiles):
        sheet.paste(tile, (i % columns * TILE, i // columns * tall))
    pixels = torch.frombuffer(bytearray(sheet.tobytes()), dtype=torch.uint8)
    return pixels.view(sheet.height, sheet.width, 3)


def _tile(found: Setup, views: Views, photo: runs.Photo) -> Image.Image:
    sample = found.samples[photo.name]
    try:
        placed, points, _ = runs.answer(sample, views)
        nothing = subset(points, torch.zeros(0, dtype=torch.long))
        info, confidence = found.model.info, placed.confidence
        answer = Answer(info, (), nothing, confidence, placed.pose, placed=placed)
        picture = draw_answer(placed.seen.image, answer)
    except FAILURES:
        picture = read_image(sample.image_path)
    image = Image.fromarray(picture.numpy())
    draw = ImageDraw.Draw(image)
    scale = image.width / sample.size[1]
    for x, y in ((sample.keypoints[sample.visible] + 0.5) * scale - 0.5).tolist():
        draw.ellipse((x - 9, y - 9, x + 9, y + 9), outline=(255, 0, 0), width=3)
    image.thumbnail((TILE, TILE))
    tile = Image.new("RGB", (TILE, TILE + LABEL), (250, 250, 250))
    tile.paste(image, (0, LABEL))
    text = f"{photo.name}  {100 * photo.pck['0.1']:.0f} / {100 * photo.pck['0.05']:.0f}"
    ImageDraw.Draw(tile).text((4, 3), f"{text}  confidence {photo.confidence:.2f}", fill=(0, 0, 0))
    return tile


def _pair_cell(rows: Sequence[dict[str, Any]], method: str) -> str:
    mine = [one for r in rows for one in r["methods"] if one["method"] == method]
    return _cell([[one["pck"]["per_image"][str(a)] for one in mine] for a in runs.ALPHAS])


def _cell(values: Sequence[Sequence[float]]) -> str:
    return " / ".join(f"{100 * statistics.mean(v):.1f}" if v else "-" for v in values)
