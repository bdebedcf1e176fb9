"""Correspondence through the class aligned to both images (Eq. 14 of SemAlign3D)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.alignment import schedules
from semcorr_ros.alignment.evidence import Config as EvidenceConfig
from semcorr_ros.alignment.evidence import log_semantic
from semcorr_ros.artifacts import Alignment, ClassRepresentation, Correspondences
from semcorr_ros.geometry import cameras, grid
from semcorr_ros.matching import View
from semcorr_ros.matching._placed_points import PlacedPoints, depth_window, locate
from semcorr_ros.matching._visibility import self_occlusion, visible_share

NEEDS_ALIGNMENT = True
SOURCE_SIGMA = 0.006  # of p_spatial in the source image, normalized units
SEMANTIC_TRUST = 0.3  # one pixel's features say less of where on the object it is than the aligned class
SIGMA = 0.03  # of p_spatial in the target image where Table 5 has no value, normalized units
RELIEF_TRUST = 0.5  # weight of an error in relief, relative to one in the image
NEGLIGIBLE = 1e-4  # weight below which a class point has no say in a similarity map
NEIGHBORHOOD = 0.35  # class points this near (canonical units) to the winner share in the answer


def match(
    model: ClassRepresentation, source: View, target: View, points: Float[Tensor, "point 2"]
) -> Correspondences:
    """Find which class point explains each source pixel, and where that class point is in the target."""
    placed, _ = _place(model, source, target, points)
    query = grid.features_at(source.seen.features, points)
    return locate(PlacedPoints(placed, query), target, schedules.MATCHING_SIGMA.get(model.info.name, SIGMA))


def similarity(
    model: ClassRepresentation, source: View, target: View, points: Float[Tensor, "point 2"]
) -> Float[Tensor, "point height width"]:
    """p_spatial p_sem of every target cell (Eq. 14), in [0, 1]; lower where the class hides the place.

    What KAP ranks: it asks whether a method also knows that a point is not there.
    """
    placed, weights = _place(model, source, target, points)
    assert target.aligned is not None
    features = target.seen.features
    h, w, channels = features.values.shape
    cells = grid.centers(features).reshape(-1, 2)
    distance = torch.cdist(cameras.project(placed, target.aligned.camera), cells) / max(features.image_size)
    sigma = schedules.MATCHING_SIGMA.get(model.info.name, SIGMA)
    used = (weights > NEGLIGIBLE).any(0)  # a few dozen of the dense points, and most of the time
    semantic = log_semantic(
        features.values.reshape(-1, channels), model.dense.prototypes.subset(used), EvidenceConfig()
    )
    probability = (weights[:, used] @ semantic.T - distance**2 / (2 * sigma**2)).exp()
    return (probability * visible_share(placed, target.aligned)[:, None]).reshape(-1, h, w)


def _place(
    model: ClassRepresentation, source: View, target: View, points: Float[Tensor, "point 2"]
) -> tuple[Float[Tensor, "point 3"], Float[Tensor, "point dense"]]:
    """Where the class says that source pixels are in the target's camera frame, and what explains them."""
    if source.aligned is None or target.aligned is None:
        raise ValueError("matcher 'aligned' needs the class aligned to source and target")
    weights = explain(model, source, points)
    in_source = weights @ source.aligned.dense[0]
    offset = _offset_to_pixel(in_source, points, source.aligned)
    return weights @ target.aligned.dense[0] + _carry(offset, source.aligned, target.aligned), weights


def explain(
    model: ClassRepresentation, view: View, points: Float[Tensor, "point 2"]
) -> Float[Tensor, "point dense"]:
    """Weights of the dense points that explain each pixel: p_spatial p_sem around its maximum."""
    assert view.aligned is not None
    aligned, camera = view.aligned, view.aligned.camera
    squared = torch.cdist(points, cameras.project(aligned.dense[0], camera)) ** 2
    squared = squared + (RELIEF_TRUST * _relief_error(view, points)) ** 2
    semantic = log_semantic(
        grid.features_at(view.seen.features, points), model.dense.prototypes, EvidenceConfig()
    )
    hidden = self_occlusion(aligned, model)
    sigma_px = SOURCE_SIGMA * max(camera.size)
    log_weight = SEMANTIC_TRUST * semantic - squared / (2 * sigma_px**2) + hidden.clamp_min(1e-6).log()
    winner = log_weight.argmax(-1)
    canonical = model.dense.barycentric @ model.sparse
    near = torch.cdist(canonical[winner], canonical) / NEIGHBORHOOD
    return torch.softmax(log_weight - 0.5 * (3 * near) ** 2, dim=-1)


def _relief_error(view: View, points: Float[Tensor, "point 2"]) -> Float[Tensor, "point dense"]:
    """How far, in pixels, dense points are before or behind what the depth map shows around each pixel.

    0 where there is no valid depth.
    """
    assert view.aligned is not None
    z = view.aligned.dense[0, :, 2]
    if view.seen.depth is None:
        return torch.zeros(len(points), len(z), device=points.device)
    # A keypoint on the outline must not take the depth of what is behind the object.
    seen = depth_window(points, view.seen.depth, view.seen.mask).nanmedian(-1).values
    error = view.aligned.focal[0] * (z / seen[:, None] - 1)
    return error.nan_to_num(0.0)


def _offset_to_pixel(
    in_source: Float[Tensor, "point 3"], points: Float[Tensor, "point 2"], aligned: Alignment
) -> Float[Tensor, "point 3"]:
    """Step across the viewing direction from the explained position to the ray of the pixel."""
    return cameras.unproject(points, in_source[:, 2], aligned.camera) - in_source


def _carry(
    offset: Float[Tensor, "point 3"], source: Alignment, target: Alignment
) -> Float[Tensor, "point 3"]:
    """A small step on the object in the source's camera frame, in the target's camera frame."""
    canonical = offset @ source.rotation[0] / source.scale[0]
    return target.scale[0] * canonical @ target.rotation[0].T
