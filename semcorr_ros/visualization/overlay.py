"""The aligned class over the image: dense points, skeleton, named keypoints, confidence."""

from __future__ import annotations

import torch
from jaxtyping import UInt8
from torch import Tensor

from semcorr_ros.answer import Answer
from semcorr_ros.artifacts import CategoryInfo
from semcorr_ros.geometry import cameras
from semcorr_ros.methods import Shape
from semcorr_ros.visualization.canvas import BLACK, WHITE, Canvas, by_position

DOT = 4.0
KEYPOINT = 6.0
FRAME = 10.0
RED = (230, 40, 40)


def draw_answer(
    image: UInt8[Tensor, "height width 3"], answer: Answer, longer_side: int = 1280
) -> UInt8[Tensor, "rows columns 3"]:
    """Draw a placed class over its image, enlarged to `longer_side`.

    Surface points have the color of their canonical place (x, y, z as red, green, blue), near ones
    cover far ones. Keypoints the class never saw are left out. A refused answer gets a red frame and the
    code of its reason.
    """
    canvas = Canvas(image, longer_side)
    shape = None if answer.placed is None else answer.placed.shape
    if shape is not None:
        _draw_surface(canvas, shape)
        _draw_skeleton(canvas, answer.info, shape)
    if answer.refusal is not None:
        _frame(canvas)
    canvas.caption(_caption(answer), WHITE if answer.found else RED)
    return canvas.tensor()


def draw_refusal(
    image: UInt8[Tensor, "height width 3"], text: str, longer_side: int = 1280
) -> UInt8[Tensor, "rows columns 3"]:
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


def _draw_skeleton(canvas: Canvas, info: CategoryInfo, shape: Shape) -> None:
    pixels = cameras.project(shape.keypoints, shape.camera).cpu()
    shown = torch.tensor(shape.known) & (shape.keypoints[:, 2] > 0).cpu() & torch.isfinite(pixels).all(-1)
    for a, b in info.edges:
        if shown[a] and shown[b]:
            canvas.line(pixels[a].tolist(), pixels[b].tolist(), BLACK, width=5, alpha=140)
            canvas.line(pixels[a].tolist(), pixels[b].tolist(), WHITE, width=2.5)
    for i in shown.nonzero()[:, 0].tolist():
        point = pixels[i].tolist()
        canvas.dot(point, KEYPOINT + 2, BLACK)
        canvas.dot(point, KEYPOINT, WHITE)
        if canvas.inside(point):
            canvas.label(point, info.keypoint_names[i])


def _draw_surface(canvas: Canvas, shape: Shape) -> None:
    colors = by_position(shape.canonical).cpu().tolist()
    depth = shape.surface[:, 2]
    pixels = cameras.project(shape.surface, shape.camera).cpu().tolist()
    front = (depth > 0).tolist()
    for i in depth.argsort(descending=True).tolist():
        if front[i]:
            canvas.dot(pixels[i], DOT, tuple(colors[i]), alpha=210)


def _caption(answer: Answer) -> str:
    name = answer.info.name
    if answer.placed is None:
        return f"{name}: {answer.refusal.code.name}" if answer.refusal else name
    told = f"{name}: confidence {answer.confidence:.2f}"
    if answer.refusal is not None:
        return f"{told}, refused: {answer.refusal.code.name}"
    pose = answer.pose
    return f"{told}, {float(pose.translation[2]):.2f} m away" if pose is not None and pose.metric else told
