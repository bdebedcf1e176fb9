"""Correspondence through the class aligned to both images (Eq. 14 of SemAlign3D).

The class's points are those of its surface and its keypoints: on thin parts, such as a rear foot, surface
points in front are as near to the pixel as those that belong there.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.artifacts import Correspondences, Prototypes
from semcorr_ros.geometry import cameras, grid, measured_depth
from semcorr_ros.methods.semalign3d.alignment.evidence import EvidenceConfig, log_semantic
from semcorr_ros.methods.semalign3d.artifacts import Alignment, ClassRepresentation, View
from semcorr_ros.methods.semalign3d.matching.local_evidence import image_radius
from semcorr_ros.methods.semalign3d.matching.placed_points import PlacedPoints, locate
from semcorr_ros.methods.semalign3d.matching.visibility import visible_share

# Chosen on folds of the training photographs of laptops and cups (benchmark/photographs), keypoints asked
# for with and without themselves among the class's points.
SOURCE_SIGMA = 0.1  # of p_spatial in the source image, shares of the object's RMS radius
# What is left between a pixel and the point that explains it is half an error of the source's alignment, half
# a place between class points: with none of it photographs gain 1 to 3 points at 0.05, rendered ones lose 4
# to 8.
QUERY = 0.25  # share of the source pixel's own feature in what is looked for, beside the class's
CARRIED = 0.5  # share of it that is carried over
KEYPOINT_SHARE = 2.7  # a keypoint counts as that many surface points
RELIEF_TRUST = 0.5  # weight of an error in relief, relative to one in the image
NEGLIGIBLE = 1e-4  # weight below which a class point is left out of a similarity map
NEIGHBORHOOD = 0.35  # class points this near (canonical units) to the winner share in the answer


def carry(
    model: ClassRepresentation, source: View, target: View, points: Float[Tensor, "point 2"], sigma: float
) -> Correspondences:
    """Find which class point explains each source pixel, and where that class point is in the target.

    sigma: of p_spatial in the target image, shares of the object's RMS radius there.
    """
    placed, weights = _place(model, source, target, points)
    query = grid.features_at(source.seen.features, points)
    usual = torch.nn.functional.normalize(weights @ _prototypes(model).features, dim=-1)
    expected = torch.nn.functional.normalize((1 - QUERY) * usual + QUERY * query, dim=-1)
    return locate(model, PlacedPoints(placed, expected), target, sigma)


def similarity(
    model: ClassRepresentation, source: View, target: View, points: Float[Tensor, "point 2"], sigma: float
) -> Float[Tensor, "point height width"]:
    """Compute p_spatial p_sem of every target cell (Eq. 14), in [0, 1], times the point's visibility.

    KAP ranks these: it asks whether a method also knows that a point is hidden.
    """
    placed, weights = _place(model, source, target, points)
    features = target.seen.features
    h, w, channels = features.values.shape
    cells = grid.centers(features).reshape(-1, 2)
    distance = torch.cdist(cameras.project(placed, target.aligned.camera), cells)
    distance = distance / image_radius(target.aligned)
    used = (weights > NEGLIGIBLE).any(0)  # a few dozen: with all points the product dominates the time
    semantic = log_semantic(
        features.values.reshape(-1, channels), _prototypes(model).subset(used), EvidenceConfig()
    )
    probability = (weights[:, used] @ semantic.T - distance**2 / (2 * sigma**2)).exp()
    return (probability * visible_share(placed, target.aligned)[:, None]).reshape(-1, h, w)


def explain(
    model: ClassRepresentation, view: View, points: Float[Tensor, "point 2"]
) -> Float[Tensor, "point class_point"]:
    """Weigh the class's points that explain each pixel: p_spatial p_sem around its maximum."""
    xyz, camera = _placed(model, view.aligned), view.aligned.camera
    pixels = cameras.project(xyz, camera)
    squared = torch.cdist(points, pixels) ** 2 + (RELIEF_TRUST * _relief_error(view, xyz, points)) ** 2
    features = grid.features_at(view.seen.features, points)
    semantic = log_semantic(features, _prototypes(model), EvidenceConfig())
    shown = visible_share(xyz, view.aligned) * _share(model)
    radius = (pixels - pixels.mean(0)).square().sum(-1).mean().sqrt()
    log_weight = semantic - squared / (2 * (SOURCE_SIGMA * radius) ** 2) + shown.clamp_min(1e-6).log()
    winner = log_weight.argmax(-1)
    canonical = torch.cat([model.dense.barycentric @ model.sparse, model.sparse[model.annotated]])
    near = torch.cdist(canonical[winner], canonical) / NEIGHBORHOOD
    return torch.softmax(log_weight - 0.5 * (3 * near) ** 2, dim=-1)


def _place(
    model: ClassRepresentation, source: View, target: View, points: Float[Tensor, "point 2"]
) -> tuple[Float[Tensor, "point 3"], Float[Tensor, "point class_point"]]:
    """Carry source pixels to the target's camera frame by the class; also returns their `explain` weights."""
    weights = explain(model, source, points)
    step = _step_to_pixel(weights @ _placed(model, source.aligned), points, source.aligned)
    return weights @ _placed(model, target.aligned) + CARRIED * _to_camera(step, target.aligned), weights


def _step_to_pixel(
    xyz: Float[Tensor, "point 3"], points: Float[Tensor, "point 2"], aligned: Alignment
) -> Float[Tensor, "point 3"]:
    """Compute the steps at constant depth from camera-frame points to the rays of pixels, canonical."""
    step = cameras.unproject(points, xyz[:, 2], aligned.camera) - xyz
    return step @ aligned.rotation[0] / aligned.scale[0]


def _to_camera(step: Float[Tensor, "point 3"], aligned: Alignment) -> Float[Tensor, "point 3"]:
    """Rotate and scale canonical steps into the camera frame."""
    return aligned.scale[0] * step @ aligned.rotation[0].T


def _placed(model: ClassRepresentation, aligned: Alignment) -> Float[Tensor, "class_point 3"]:
    """Concatenate surface points and annotated keypoints of the best hypothesis, camera frame."""
    return torch.cat([aligned.dense[0], aligned.keypoints[0, model.annotated]])


def _prototypes(model: ClassRepresentation) -> Prototypes:
    dense, sparse = model.dense.prototypes, model.sparse_prototypes.subset(model.annotated)
    names = ("features", "similarity_mean", "similarity_std")
    return Prototypes(*(torch.cat([getattr(dense, name), getattr(sparse, name)]) for name in names))


def _share(model: ClassRepresentation) -> Float[Tensor, "class_point"]:
    surface = torch.ones_like(model.dense.weight)
    return torch.cat([surface, torch.full_like(model.sparse[model.annotated, 0], KEYPOINT_SHARE)])


def _relief_error(
    view: View, xyz: Float[Tensor, "class_point 3"], points: Float[Tensor, "point 2"]
) -> Float[Tensor, "point class_point"]:
    """Compute, in pixels, class points' depth relative to the depth map around each pixel.

    0 where there is no valid depth.
    """
    z = xyz[:, 2]
    if view.seen.depth is None:
        return torch.zeros(len(points), len(z), device=points.device)
    # A keypoint on the outline must not take the depth of what is behind the object.
    measured = measured_depth.window(points, view.seen.depth.values, view.seen.mask).nanmedian(-1).values
    error = view.aligned.focal[0] * (z / measured[:, None] - 1)
    return error.nan_to_num(0.0)
