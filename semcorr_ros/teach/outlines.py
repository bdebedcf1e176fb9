"""The object's outline in a picture: proposed from what is known, corrected by a few clicks (GrabCut).

C. Rother, V. Kolmogorov, A. Blake: "GrabCut", SIGGRAPH 2004, as OpenCV has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from semcorr_ros.artifacts import Frame
from semcorr_ros.geometry.boxes import Box, box_of
from semcorr_ros.masks._pieces import largest
from semcorr_ros.masks._standing import outline

LONGEST = 480  # pixels a side that GrabCut works on
ITERATIONS = 4
DISC = 0.02  # radius of a click, as a share of the longer side
MIDDLE = 0.8  # share of the picture, about its middle, that the object is taken to be in


@dataclass(frozen=True)
class Click:
    """A pixel that is on the object, or is not."""

    x: float
    y: float
    inside: bool


def by_depth(frame: Frame) -> Bool[Tensor, "height width"] | None:
    """Outline what stands in the middle of the picture, on what is seen around it; None where depth cannot
    tell."""
    if frame.depth is None or frame.camera is None:
        return None
    rough = outline(frame.depth, frame.camera, _middle(frame.depth.values.shape))
    if rough is None or not rough.any():
        return None
    # Gaps are closed by the size of the box: between the legs of a chair that is the chair's own.
    found = outline(frame.depth, frame.camera, box_of(rough))
    return rough if found is None or not found.any() else found


def by_colour(
    image: UInt8[Tensor, "height width 3"], rough: Bool[Tensor, "height width"] | None = None
) -> Bool[Tensor, "height width"] | None:
    """Outline what differs in color from the picture's border, or a rough outline further; None where
    nothing does."""
    return _cut(image, rough, ())


def corrected(
    image: UInt8[Tensor, "height width 3"],
    before: Bool[Tensor, "height width"] | None,
    clicks: Sequence[Click],
) -> Bool[Tensor, "height width"]:
    """Correct an outline by clicks on the object and beside it. What was there counts as probable."""
    found = _cut(image, before, clicks)
    kept = torch.zeros(image.shape[:2], dtype=torch.bool) if found is None else found
    for click in clicks:  # what was clicked holds, whatever the colors say
        _disc(kept.numpy(), click, max(image.shape[:2]))
    return kept


def _cut(
    image: UInt8[Tensor, "height width 3"],
    before: Bool[Tensor, "height width"] | None,
    clicks: Sequence[Click],
) -> Bool[Tensor, "height width"] | None:
    height, width = image.shape[:2]
    shrink = min(1.0, LONGEST / max(height, width))
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    small = cv2.resize(image.cpu().numpy(), size, interpolation=cv2.INTER_AREA)
    labels = _labels(before, (size[1], size[0]))
    for click in clicks:
        scaled = Click((click.x + 0.5) * shrink - 0.5, (click.y + 0.5) * shrink - 0.5, click.inside)
        _disc(labels, scaled, max(size), (cv2.GC_BGD, cv2.GC_FGD))
    certain = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD))
    if not certain.any() or certain.all():
        return None
    cv2.setRNGSeed(0)  # its clusters start at random: same clicks, same outline
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(small, labels, None, *models, ITERATIONS, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
    cut = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    if not cut.any():
        return None
    full = cv2.resize(cut, (width, height), interpolation=cv2.INTER_LINEAR) > 0
    return _pieces(torch.from_numpy(full), clicks)


def _labels(before: Bool[Tensor, "height width"] | None, size: tuple[int, int]) -> np.ndarray:
    height, width = size
    if before is not None:
        small = cv2.resize(before.cpu().numpy().astype(np.uint8), (width, height))
        return np.where(small > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels = np.full((height, width), cv2.GC_BGD, np.uint8)
    x, y, w, h = _middle(labels.shape)
    labels[y : y + h, x : x + w] = cv2.GC_PR_FGD
    return labels


def _pieces(mask: Bool[Tensor, "height width"], clicks: Sequence[Click]) -> Bool[Tensor, "height width"]:
    """Keep the largest piece, and those that were clicked."""
    kept = largest(mask)
    _, labels = cv2.connectedComponents(mask.numpy().astype(np.uint8), connectivity=4)
    for click in clicks:
        number = labels[_row_column(click, labels.shape)]
        if click.inside and number:
            kept = kept | torch.from_numpy(labels == number)
    return kept


def _disc(image: np.ndarray, click: Click, side: int, values: tuple[int, int] = (0, 1)) -> None:
    row, column = _row_column(click, image.shape[:2])
    radius = max(1, round(DISC * side / 2))
    rows, columns = np.ogrid[: image.shape[0], : image.shape[1]]
    image[(rows - row) ** 2 + (columns - column) ** 2 <= radius**2] = values[click.inside]


def _row_column(click: Click, size: tuple[int, ...]) -> tuple[int, int]:
    return (
        int(np.clip(round(click.y), 0, size[0] - 1)),
        int(np.clip(round(click.x), 0, size[1] - 1)),
    )


def _middle(size: tuple[int, ...]) -> Box:
    height, width = size
    rows, columns = (round((1 - MIDDLE) / 2 * side) for side in (height, width))
    return columns, rows, width - 2 * columns, height - 2 * rows
