"""Correspondence as published (Eq. 14 of SemAlign3D): the keypoint that explains a pixel, wherever the other
image shows it best.

Every pixel that the same keypoint explains goes to the same place: between keypoints this is coarser than
carry.py, which the package uses otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semcorr_ros.artifacts import Correspondences, FeatureMap, Prototypes
from semcorr_ros.geometry import cameras, grid
from semcorr_ros.methods.semalign3d.alignment.evidence import EvidenceConfig, log_semantic, log_typical
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation, View
from semcorr_ros.methods.semalign3d.matching.placed_points import PlacedPoints, found_at
from semcorr_ros.methods.semalign3d.matching.visibility import visible_share

LITERAL = EvidenceConfig(one_sided=False, similarity_std_floor=0.0, upscale="similarities")


@dataclass(frozen=True)
class Keypoints:
    """The class's annotated keypoints where an image shows them."""

    xyz: Float[Tensor, "keypoint 3"]  # camera frame, depth units
    pixels: Float[Tensor, "keypoint 2"]
    prototypes: Prototypes

    @staticmethod
    def of(model: ClassRepresentation, view: View) -> Keypoints:
        """Take those of the best hypothesis."""
        xyz = view.aligned.keypoints[0, model.annotated]
        pixels = cameras.project(xyz, view.aligned.camera)
        return Keypoints(xyz, pixels, model.sparse_prototypes.subset(model.annotated))

    def subset(self, rows: Int[Tensor, "point"]) -> Keypoints:
        """Take the given rows."""
        return Keypoints(self.xyz[rows], self.pixels[rows], self.prototypes.subset(rows))


def carry(
    model: ClassRepresentation, source: View, target: View, points: Float[Tensor, "point 2"], sigma: float
) -> Correspondences:
    """Carry pixels over to the target: argmax_xy p_spatial(xy, i*) p_sem(xy, i*) over all of its pixels.

    sigma: of p_spatial in both images, shares of the longer image side.
    """
    winners = explaining(model, source, points, sigma)
    used, row = winners.unique(return_inverse=True)
    keypoints = Keypoints.of(model, target)
    pixels = _best_pixels(keypoints.subset(used), target, sigma)
    features = keypoints.prototypes.features
    return found_at(PlacedPoints(keypoints.xyz[winners], features[winners]), pixels[row], target)


def similarity(
    model: ClassRepresentation, source: View, target: View, points: Float[Tensor, "point 2"], sigma: float
) -> Float[Tensor, "point height width"]:
    """Compute p_spatial p_sem of every target cell, in [0, 1], times the keypoint's visibility (for KAP)."""
    chosen = Keypoints.of(model, target).subset(explaining(model, source, points, sigma))
    features = target.seen.features
    h, w, channels = features.values.shape
    cells = grid.centers(features).reshape(-1, 2)
    semantic = log_semantic(features.values.reshape(-1, channels), chosen.prototypes, LITERAL).T
    probability = (semantic + _log_spatial(chosen.pixels, cells, target, sigma)).exp()
    return (probability * visible_share(chosen.xyz, target.aligned)[:, None]).reshape(-1, h, w)


def explaining(
    model: ClassRepresentation, view: View, points: Float[Tensor, "point 2"], sigma: float
) -> Int[Tensor, "point"]:
    """Find i* = argmax_i p_spatial(p, i) p_sem(p, i) over C_sparse, rows of the annotated keypoints."""
    keypoints = Keypoints.of(model, view)
    features = grid.interpolated(view.seen.features, points)
    semantic = log_semantic(features, keypoints.prototypes, LITERAL)
    return (semantic + _log_spatial(points, keypoints.pixels, view, sigma)).argmax(-1)


def _best_pixels(keypoints: Keypoints, view: View, sigma: float) -> Float[Tensor, "keypoint 2"]:
    """Find argmax_xy p_spatial p_sem over all pixels of the image, similarities upscaled to it (Eq. 4)."""
    features, prototypes = view.seen.features, keypoints.prototypes
    similarities = replace(features, values=features.values @ prototypes.features.T)
    pixels = _pixels_of(features)
    semantic = log_typical(grid.interpolated(similarities, pixels), prototypes, LITERAL).T
    return pixels[(semantic + _log_spatial(keypoints.pixels, pixels, view, sigma)).argmax(-1)]


def _pixels_of(features: FeatureMap) -> Float[Tensor, "pixel 2"]:
    """List the pixels that features cover."""
    x, y, width, height = grid.window(features)
    columns, rows = torch.arange(x, x + width), torch.arange(y, y + height)
    pixels = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1).reshape(-1, 2)
    return pixels.to(features.values)


def _log_spatial(
    points: Float[Tensor, "point 2"], others: Float[Tensor, "other 2"], view: View, sigma: float
) -> Float[Tensor, "point other"]:
    """Compute log g(|p - q|; 0, sigma), distances in shares of the longer image side (Eq. 5)."""
    return -((torch.cdist(points, others) / max(view.seen.features.image_size)) ** 2) / (2 * sigma**2)
