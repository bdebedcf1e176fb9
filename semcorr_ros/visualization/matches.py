"""Source and target side by side, the same point in the same color and joined by a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from semcorr_ros.artifacts import KeypointState
from semcorr_ros.visualization.canvas import BLACK, WHITE, Box, Canvas, Color, distinct, resized

GAP = 12  # canvas pixels between the pictures
HEIGHT = 720  # of each picture on the canvas
RADIUS = 7.0
BACKGROUND = 245
DRAWN = (KeypointState.VISIBLE, KeypointState.OCCLUDED, KeypointState.NO_DEPTH)


@dataclass(frozen=True)
class Matches:
    """Points to draw, all in pixels of their own image."""

    source: Float[Tensor, "point 2"]
    target: Float[Tensor, "point 2"]
    state: Int[Tensor, "point"]  # KeypointState
    names: tuple[str, ...]  # "": without a label
    truth: Float[Tensor, "point 2"] | None = None  # where the target points really are


def draw_matches(
    source: UInt8[Tensor, "height width 3"], target: UInt8[Tensor, "height_t width_t 3"], matches: Matches
) -> UInt8[Tensor, "canvas_height canvas_width 3"]:
    """Draw one row: a disc and a line for a visible point, a ring and a dashed line for a hidden one.

    A point that is outside the image or was rejected is crossed out in the source. White crosses
    are the truth, where it is given.
    """
    left, right = _fit(source), _fit(target)
    offset = left.shape[1] + GAP
    page = torch.full((HEIGHT, offset + right.shape[1], 3), BACKGROUND, dtype=torch.uint8)
    page[:, : left.shape[1]], page[:, offset:] = left, right
    canvas = Canvas(page, longer_side=0)
    boxes: tuple[Box, Box] = ((0, 0, left.shape[1], HEIGHT), (offset, 0, page.shape[1], HEIGHT))
    points = [
        _Point(
            name=name,
            color=color,
            state=KeypointState(int(state)),
            source=_place(at_source, source, boxes[0]),
            target=_place(at_target, target, boxes[1]) if int(state) in DRAWN else None,
        )
        for name, color, state, at_source, at_target in zip(
            matches.names,
            distinct(len(matches.names)),
            matches.state.tolist(),
            matches.source.tolist(),
            matches.target.tolist(),
            strict=True,
        )
    ]
    for point in points:  # lines first: they must not cover the points
        _draw_line(canvas, point)
    for point in points:
        _draw_source(canvas, point, boxes[0])
        _draw_target(canvas, point, boxes[1])
    for truth in [] if matches.truth is None else matches.truth.tolist():
        place = _place(truth, target, boxes[1])
        if place is not None:
            canvas.cross(place, RADIUS - 1, BLACK, width=5)
            canvas.cross(place, RADIUS - 2, WHITE, width=2)
    return canvas.tensor()


def stack(
    pictures: Sequence[UInt8[Tensor, "height width 3"]],
) -> UInt8[Tensor, "canvas_height canvas_width 3"]:
    """Stack rows below each other, padded at the right to equal width."""
    width = max(picture.shape[1] for picture in pictures)
    rows = []
    for i, picture in enumerate(pictures):
        gap = GAP if i else 0
        row = torch.full((picture.shape[0] + gap, width, 3), BACKGROUND, dtype=torch.uint8)
        row[gap:, : picture.shape[1]] = picture
        rows.append(row)
    return torch.cat(rows)


@dataclass(frozen=True)
class _Point:
    """One match on the page; a place is None where there is nothing to draw."""

    name: str
    color: Color
    state: KeypointState
    source: tuple[float, float] | None
    target: tuple[float, float] | None


def _draw_line(canvas: Canvas, point: _Point) -> None:
    if point.source is not None and point.target is not None:
        line = canvas.line if point.state == KeypointState.VISIBLE else canvas.dashes
        line(point.source, point.target, point.color, width=2, alpha=150)


def _draw_source(canvas: Canvas, point: _Point, box: Box) -> None:
    if point.source is None:
        return
    name = point.name
    _disc(canvas, point.source, point.color)
    if point.target is None:
        canvas.cross(point.source, RADIUS + 4, point.color)
        lost = KeypointState.OUT_OF_IMAGE if point.state in DRAWN else point.state
        name = f"{name}: {lost.name.lower().replace('_', ' ')}"
    if name:
        canvas.label(point.source, name, point.color, box)


def _draw_target(canvas: Canvas, point: _Point, box: Box) -> None:
    if point.target is None:
        return
    name = point.name
    if point.state == KeypointState.OCCLUDED:
        canvas.ring(point.target, RADIUS + 1, BLACK, width=5)
        canvas.ring(point.target, RADIUS, point.color, width=2.5)
        name = f"{name} (hidden)"
    else:
        _disc(canvas, point.target, point.color)
    if name:
        canvas.label(point.target, name, point.color, box)


def _disc(canvas: Canvas, point: tuple[float, float], color: Color) -> None:
    canvas.dot(point, RADIUS + 2, BLACK)
    canvas.dot(point, RADIUS, color)


def _fit(image: UInt8[Tensor, "height width 3"]) -> UInt8[Tensor, "canvas_height canvas_width 3"]:
    width = max(1, round(image.shape[1] * HEIGHT / image.shape[0]))
    return resized(image, (HEIGHT, width))


def _place(
    point: list[float], image: UInt8[Tensor, "height width 3"], box: Box
) -> tuple[float, float] | None:
    """Map a pixel of an image to the page; None for NaN and for a point outside its image."""
    scale = HEIGHT / image.shape[0]
    x, y = ((value + 0.5) * scale - 0.5 for value in point)
    # NaN fails both comparisons.
    return (x + box[0], y) if -0.5 <= x <= box[2] - box[0] - 0.5 and -0.5 <= y <= HEIGHT - 0.5 else None
