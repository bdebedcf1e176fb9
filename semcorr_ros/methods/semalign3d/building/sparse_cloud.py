"""The sparse cloud: mean shape, shape modes and the views aligned to it, in the canonical frame.

Robust Procrustes analysis places the keypoints, a probabilistic shape model removes the bias of which
views happen to show which keypoint, the gauge turns everything into the canonical frame.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from semcorr_ros.artifacts import CategoryInfo
from semcorr_ros.methods.semalign3d.artifacts import Views
from semcorr_ros.methods.semalign3d.building.config import BuildConfig
from semcorr_ros.methods.semalign3d.building.gauge import Gauge, canonical_gauge
from semcorr_ros.methods.semalign3d.building.pairwise import log_distances
from semcorr_ros.methods.semalign3d.building.procrustes import ROBUST, Aligned, fixes_similarity, mean_shape
from semcorr_ros.methods.semalign3d.building.shape_modes import ShapeModel, shape_model

MIN_PLACED = 3
# Views whose robust misfit lies this many deviations above the median have wrong depth, within limits:
# a class that hardly varies must not lose views to noise, and beyond the upper one nothing fits.
OUTLYING, MISFIT_LIMITS = 4.0, (0.5, 1.05)


@dataclass(frozen=True)
class SparseCloud:
    """Keypoints in the canonical frame and the views (mirrored ones included) carried there."""

    points: Float[Tensor, "keypoint 3"]  # zero rows where not placed
    placed: Bool[Tensor, "keypoint"]
    modes: Float[Tensor, "mode keypoint 3"]
    aligned: Aligned
    weight: Float[Tensor, "view keypoint"]  # 0 not visible, below 1 where the lifted keypoint looks wrong
    disagrees: Bool[Tensor, "view"]  # enough keypoints, but of another shape: not usable
    residual: float  # RMS distance of aligned view keypoints to the mean shape
    gauge: Gauge


def sparse_cloud(views: Views, info: CategoryInfo, mirror: bool, config: BuildConfig) -> SparseCloud:
    """Recover the class's shape. Raises ValueError if the views share too few keypoints."""
    start, placed, _ = mean_shape(views, log_distances(views))
    if placed.sum() < MIN_PLACED:
        raise ValueError(f"the images share too few keypoints: only {int(placed.sum())} could be placed")
    known = replace(views, points=views.points[:, placed], visible=views.visible[:, placed])
    model = shape_model(known, start[placed], config.shape_modes)
    weight, disagrees = _trust(model, known)
    if disagrees.any():
        # Once more without them: even mended views pull the shape and fill the modes.
        rest = replace(known, visible=known.visible & ~disagrees[:, None])
        model = shape_model(rest, model.mean, config.shape_modes)
        weight *= model.aligned.usable[:, None]
    if not (~views.mirrored & model.aligned.usable).any():
        raise ValueError("no two images share three annotated keypoints with depth that are not on a line")
    rotation_to_shape = model.aligned.rotation[~views.mirrored & model.aligned.usable]
    points = _embed(model.mean, placed)
    gauge = canonical_gauge(points, rotation_to_shape.mT, _placed_info(info, placed), mirror)
    return _in_frame(model, gauge, (weight, disagrees), placed)


def _in_frame(model: ShapeModel, gauge: Gauge, trust: tuple[Tensor, Tensor], placed: Tensor) -> SparseCloud:
    turn, old = gauge.rotation, model.aligned
    weight, disagrees = trust
    aligned = Aligned(
        points=_embed(old.points @ turn.T, placed),
        scale=old.scale,
        rotation=turn @ old.rotation,
        translation=old.translation @ turn.T,
        usable=old.usable & ~disagrees,
    )
    deviation = (old.points - model.mean).norm(dim=-1)
    residual = float((deviation[weight > 0] ** 2).mean().sqrt())
    full_weight = torch.zeros(len(weight), len(placed))
    full_weight[:, placed] = weight
    return SparseCloud(
        points=_embed(model.mean @ turn.T, placed),
        placed=placed,
        modes=_embed(model.modes @ turn.T, placed),
        aligned=aligned,
        weight=full_weight,
        disagrees=disagrees,
        residual=residual,
        gauge=gauge,
    )


def _trust(model: ShapeModel, known: Views) -> tuple[Float[Tensor, "view keypoint"], Bool[Tensor, "view"]]:
    """Compute the robust weight of every lifted keypoint, and find views that fit much worse than others."""
    usable = model.aligned.usable
    enough = fixes_similarity(known.visible.float(), model.mean.expand(known.points.shape))
    squared = ((model.aligned.points - model.mean).norm(dim=-1) / ROBUST) ** 2
    weight = known.visible * usable[:, None] / (1 + squared)
    misfit = (torch.log1p(squared) * known.visible).sum(1) / known.visible.sum(1).clamp_min(1)
    disagrees = enough & (~usable | (misfit > _limit(misfit[usable])))
    if (usable & ~disagrees).sum() < 2:
        return weight, enough & ~usable
    return weight * ~disagrees[:, None], disagrees


def _limit(misfit: Float[Tensor, "view"]) -> float:
    """Compute the largest misfit a view may have, from those of all."""
    if len(misfit) == 0:
        return MISFIT_LIMITS[1]
    deviation = 1.48 * (misfit - misfit.median()).abs().median()
    return float((misfit.median() + OUTLYING * deviation).clamp(*MISFIT_LIMITS))


def _embed(rows: Float[Tensor, "*batch placed 3"], placed: Tensor) -> Float[Tensor, "*batch keypoint 3"]:
    full = torch.zeros(*rows.shape[:-2], len(placed), 3)
    full[..., placed, :] = rows
    return full


def _placed_info(info: CategoryInfo, placed: Tensor) -> CategoryInfo:
    """Blank the names of unplaced keypoints: their rows are zero and must not count for the axes."""
    names = tuple(name if ok else "" for name, ok in zip(info.keypoint_names, placed.tolist(), strict=True))
    flip = info.flip
    if flip is not None:
        # Without its partner a keypoint does not constrain the mirror plane.
        flip = tuple(j if placed[i] and placed[j] else i for i, j in enumerate(flip))
    return replace(info, keypoint_names=names, flip=flip)
