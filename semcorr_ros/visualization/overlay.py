"""The aligned class over the image: dense points, skeleton, named keypoints, confidence."""

from __future__ import annotations

import torch
from jaxtyping import UInt8
from torch import Tensor

from semcorr_ros.geometry import cameras
from semcorr_ros.methods.semalign3d.artifacts import Alignment, ClassRepresentation
from semcorr_ros.visualization.canvas import BLACK, WHITE, Canvas, by_position

DOT = 4.0
KEYPOINT = 6.0
FRAME = 10.0
RED = (230, 40, 40)


def draw_alignment(
    image: UInt8[Tensor, "height width 3"],
    model: ClassRepresentation,
    aligned: Alignment,
    longer_side: int = 1280,
    refused: str = "",
) -> UInt8[Tensor, "height width 3"]:
    """Draw the best hypothesis over its image, enlarged to `longer_side`.

    Dense points have the color of their canonical place (x, y, z as red, green, blue), near ones
    cover far ones. Keypoints the class never saw are left out. refused: why nobody should believe it; the
    picture gets a red frame.
    """
    canvas = Canvas(image, longer_side)
    _draw_cloud(canvas, model, aligned)
    pixels = cameras.project(aligned.keypoints[0], aligned.camera).cpu()
    shown = (model.seen & (aligned.keypoints[0, :, 2] > 0)).cpu() & torch.isfinite(pixels).all(-1)
    for a, b in model.info.edges:
        if shown[a] and shown[b]:
            canvas.line(pixels[a].tolist(), pixels[b].tolist(), BLACK, width=5, alpha=140)
            canvas.line(pixels[a].tolist(), pixels[b].tolist(), WHITE, width=2.5)
    for i in shown.nonzero()[:, 0].tolist():
        point = pixels[i].tolist()
        canvas.dot(point, KEYPOINT + 2, BLACK)
        canvas.dot(point, KEYPOINT, WHITE)
        if canvas.inside(point):
            canvas.label(point, model.info.keypoint_names[i])
    if refused:
        _frame(canvas)
    canvas.caption(_caption(model, aligned, refused), RED if refused else WHITE)
    return canvas.tensor()


def draw_refusal(
    image: UInt8[Tensor, "height width 3"], text: str, longer_side: int = 1280
) -> UInt8[Tensor, "height width 3"]:
    """Draw an image in which nothing was found, in a red frame with the reason."""
    canvas = Canvas(image, longer_side)
    _frame(canvas)
    canvas.caption(text, RED)
    return canvas.tensor()


def _frame(canvas: Canvas) -> None:
    width, height = (value / canvas.scale - 1 for value in canvas.size)
    corners = [(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)]
    for start, end in zip(corners, corners[1:] + corners[:1], strict=True):
        canvas.line(start, end, RED, width=FRAME)


def _draw_cloud(canvas: Canvas, model: ClassRepresentation, aligned: Alignment) -> None:
    colors = by_position(model.dense.barycentric @ model.sparse).cpu().tolist()
    depth = aligned.dense[0, :, 2]
    pixels = cameras.project(aligned.dense[0], aligned.camera).cpu().tolist()
    front = (depth > 0).tolist()
    for i in depth.argsort(descending=True).tolist():
        if front[i]:
            canvas.dot(pixels[i], DOT, tuple(colors[i]), alpha=210)


def _caption(model: ClassRepresentation, aligned: Alignment, refused: str) -> str:
    told = f"{model.info.name}: confidence {float(aligned.confidence[0]):.2f}"
    if refused:
        return f"{told}, refused: {refused}"
    return f"{told}, {float(aligned.translation[0, 2]):.2f} m away" if aligned.metric else told
