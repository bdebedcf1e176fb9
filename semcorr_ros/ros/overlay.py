"""The camera image with the keypoints drawn on it."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw

from semcorr_ros.msg import SemanticKeypoint, SemanticKeypoints
from semcorr_ros.ros.markers import COLORS, GRAY

RADIUS_SHARE = 0.008  # of the longer side


def draw_overlay(image: np.ndarray, instances: list[SemanticKeypoints]) -> np.ndarray:
    """Copy of an RGB image (H, W, 3) with skeleton, points colored by state, and names."""
    canvas = Image.fromarray(image)
    draw = ImageDraw.Draw(canvas)
    radius = max(2.0, RADIUS_SHARE * max(canvas.size))
    for instance in instances:
        points = [(keypoint.pixel.x, keypoint.pixel.y) for keypoint in instance.keypoints]
        for a, b in zip(instance.edges[0::2], instance.edges[1::2], strict=True):
            if all(map(math.isfinite, (*points[a], *points[b]))):
                draw.line([points[a], points[b]], fill=(230, 230, 230), width=max(1, round(radius / 3)))
        for keypoint, (x, y) in zip(instance.keypoints, points, strict=True):
            if math.isfinite(x) and math.isfinite(y):
                _draw_point(draw, keypoint, x, y, radius)
    return np.asarray(canvas)


def _draw_point(
    draw: ImageDraw.ImageDraw, keypoint: SemanticKeypoint, x: float, y: float, radius: float
) -> None:
    black = (0, 0, 0)
    color = tuple(round(255 * share) for share in COLORS.get(keypoint.state, GRAY))
    draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=color, outline=black)
    draw.text(
        (x + 1.5 * radius, y - radius), keypoint.name, fill=color, stroke_width=1, stroke_fill=(0, 0, 0)
    )
