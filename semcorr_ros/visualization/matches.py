"""Source and target side by side, the same point in the same color and joined by a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from semcorr_ros.artifacts import KeypointState
from semcorr_ros.visualization.canvas import BLACK, WHITE, Canvas
from semcorr_ros.visualization.palette import distinct

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
    names: tuple[str, ...]
    truth: Float[Tensor, "point 2"] | None = None  # where the target points really are


def draw_matches(
    source: UInt8[Tensor, "height width 3"],
    target: UInt8[Tensor, "height_t width_t 3"],
    matches: Matches,
) -> UInt8[Tensor, "canvas_height canvas_width 3"]:
    """One row: a disc and a line for a visible point, a ring and a dashed line for a hidden one.

    A point that is outside the image or was rejected is crossed out in the source. White crosses
    are the truth, where it is given.
    """
    left, right = _fit(source), _fit(target)
    offset = left.shape[1] + GAP
    page = torch.full((HEIGHT, offset + right.shape[1], 3), BACKGROUND, dtype=torch.uint8)
    page[:, : left.shape[1]], page[:, offset:] = left, right
    canvas = Canvas(page, longer_side=0)
    at_source = _on_page(matches.source, source, 0)
    at_target = _on_page(matches.target, target, offset)
    states = [KeypointState(int(state)) for state in matches.state]
    colors = distinct(len(states))
    drawn = [state in DRAWN and bool(torch.isfinite(at_target[i]).all()) for i, state in enumerate(states)]
    for i, state in enumerate(states):  # lines first: they must not cover the points
        if drawn[i]:
            line = canvas.line if state == KeypointState.VISIBLE else canvas.dashes
            line(at_source[i].tolist(), at_target[i].tolist(), colors[i], width=2, alpha=150)
    for i, state in enumerate(states):
        _draw_source(canvas, at_source[i].tolist(), colors[i], matches.names[i], None if drawn[i] else state)
        if drawn[i]:
            _draw_target(canvas, at_target[i].tolist(), colors[i], matches.names[i], state)
    if matches.truth is not None:
        for point in _on_page(matches.truth, target, offset).tolist():
            if all(value == value for value in point):
                canvas.cross(point, RADIUS - 1, BLACK, width=5)
                canvas.cross(point, RADIUS - 2, WHITE, width=2)
    return canvas.tensor()


def stack(
    pictures: Sequence[UInt8[Tensor, "height width 3"]],
) -> UInt8[Tensor, "canvas_height canvas_width 3"]:
    """Rows below each other, padded at the right to equal width."""
    width = max(picture.shape[1] for picture in pictures)
    rows = []
    for i, picture in enumerate(pictures):
        gap = GAP if i else 0
        row = torch.full((picture.shape[0] + gap, width, 3), BACKGROUND, dtype=torch.uint8)
        row[gap:, : picture.shape[1]] = picture
        rows.append(row)
    return torch.cat(rows)


def _draw_source(
    canvas: Canvas, point: list[float], color: tuple[int, int, int], name: str, lost: KeypointState | None
) -> None:
    _disc(canvas, point, color)
    if lost is not None:
        canvas.cross(point, RADIUS + 4, color)
        name = f"{name}: {lost.name.lower().replace('_', ' ')}"
    canvas.label(point, name, color)


def _draw_target(
    canvas: Canvas, point: list[float], color: tuple[int, int, int], name: str, state: KeypointState
) -> None:
    if state == KeypointState.OCCLUDED:
        canvas.ring(point, RADIUS + 1, BLACK, width=5)
        canvas.ring(point, RADIUS, color, width=2.5)
        name = f"{name} (hidden)"
    else:
        _disc(canvas, point, color)
    canvas.label(point, name, color)


def _disc(canvas: Canvas, point: list[float], color: tuple[int, int, int]) -> None:
    canvas.dot(point, RADIUS + 2, BLACK)
    canvas.dot(point, RADIUS, color)


def _fit(image: UInt8[Tensor, "height width 3"]) -> UInt8[Tensor, "canvas_height canvas_width 3"]:
    width = max(1, round(image.shape[1] * HEIGHT / image.shape[0]))
    values = image.cpu().permute(2, 0, 1)[None].float()
    resized = torch.nn.functional.interpolate(
        values, size=(HEIGHT, width), mode="bicubic", align_corners=False, antialias=True
    )
    return resized[0].permute(1, 2, 0).round().clamp(0, 255).to(torch.uint8)


def _on_page(
    points: Float[Tensor, "point 2"], image: UInt8[Tensor, "height width 3"], offset: int
) -> Float[Tensor, "point 2"]:
    """Pixels of an image to pixels of the page."""
    scale = HEIGHT / image.shape[0]
    return (points.cpu() + 0.5) * scale - 0.5 + torch.tensor([float(offset), 0.0])
