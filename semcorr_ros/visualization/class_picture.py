"""A class at a glance: the dense cloud from four sides, colored by its features, with the keypoint graph."""

from __future__ import annotations

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation
from semcorr_ros.visualization.canvas import WHITE, Canvas

TILE_PX = 640
MARGIN = 1.15  # of the largest extent
BACKGROUND = 28
EDGE_COLOR, KEYPOINT_COLOR = (235, 235, 235), (255, 210, 60)
# Caption, then the canonical directions that point right, up and toward the viewer.
SIDES = (
    ("front", (0.0, 1, 0), (0.0, 0, 1), (1.0, 0, 0)),
    ("left", (-1.0, 0, 0), (0.0, 0, 1), (0.0, 1, 0)),
    ("back", (0.0, -1, 0), (0.0, 0, 1), (-1.0, 0, 0)),
    ("top", (0.0, -1, 0), (1.0, 0, 0), (0.0, 0, 1)),
)


def class_picture(model: ClassRepresentation) -> UInt8[Tensor, "height width 3"]:
    """Draw four orthographic views in a square: front and left above back and top."""
    tiles = [_tile(model, *side) for side in SIDES]
    return torch.cat([torch.cat(tiles[:2], 1), torch.cat(tiles[2:], 1)], 0)


def feature_colors(features: Float[Tensor, "point channel"]) -> UInt8[Tensor, "point 3"]:
    """Map the first three principal components to red, green, blue: equal colors mean similar features."""
    centered = features - features.mean(0)
    rank = min(3, *centered.shape)
    components = torch.linalg.svd(centered, full_matrices=False).Vh[:rank]
    # The sign of singular vectors is arbitrary; fix it, so that it does not depend on the solver.
    signs = torch.sign(components.gather(1, components.abs().argmax(1, keepdim=True)))
    values = torch.zeros(len(features), 3)
    values[:, :rank] = centered @ (components * signs).T
    low, high = values.quantile(0.02, dim=0), values.quantile(0.98, dim=0)
    share = ((values - low) / (high - low).clamp_min(1e-6)).clamp(0, 1)
    return (255 * (0.15 + 0.85 * share)).round().to(torch.uint8)


def _tile(model: ClassRepresentation, caption: str, *axes: tuple[float, float, float]) -> Tensor:
    keypoints, cloud = model.sparse.cpu(), (model.dense.barycentric @ model.sparse).cpu()
    annotated = model.annotated.cpu()
    everything = torch.cat([keypoints[annotated], cloud])
    reach = MARGIN * float(everything.abs().max())
    canvas = Canvas(torch.full((TILE_PX, TILE_PX, 3), BACKGROUND, dtype=torch.uint8), TILE_PX)
    right, up, toward = torch.tensor(axes)

    def place(points: Tensor) -> list[list[float]]:
        flat = torch.stack([points @ right, -points @ up], -1) / reach
        return ((flat + 1) * (TILE_PX - 1) / 2).tolist()

    _draw_cloud(
        canvas, place(cloud), cloud @ toward / reach, feature_colors(model.dense.prototypes.features.cpu())
    )
    dots = place(keypoints)
    for i, j in model.info.edges:
        if annotated[i] and annotated[j]:
            canvas.line(dots[i], dots[j], EDGE_COLOR, 1.5, alpha=170)
    for i in (annotated.nonzero()[:, 0]).tolist():
        canvas.dot(dots[i], 5, KEYPOINT_COLOR)
        canvas.label(dots[i], model.info.keypoint_names[i], WHITE)
    canvas.caption(f"{model.info.name}, {caption}")
    return canvas.tensor()


def _draw_cloud(canvas: Canvas, dots: list[list[float]], near: Tensor, colors: Tensor) -> None:
    """Draw far points first, darker and smaller."""
    for i in near.argsort().tolist():
        shade = 0.55 + 0.45 * min(1.0, max(0.0, 0.5 + float(near[i])))
        red, green, blue = (round(shade * value) for value in colors[i].tolist())
        canvas.dot(dots[i], 4 + 2 * shade, (red, green, blue), alpha=230)
