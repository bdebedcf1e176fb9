"""The surfaces of all views, carried onto the canonical shape and merged."""

from __future__ import annotations

import torch
from torch import Tensor

from semcorr_ros.geometry.similarity import apply_similarity
from semcorr_ros.methods.semalign3d.building.config import BuildConfig
from semcorr_ros.methods.semalign3d.building.dense_cloud import MergedCloud, carry_surface
from semcorr_ros.methods.semalign3d.building.lift_views import lift_surface, mirror_points
from semcorr_ros.methods.semalign3d.building.sparse_cloud import SparseCloud
from semcorr_ros.methods.semalign3d.building.training import Training

TRUSTED = 0.3  # a keypoint with less weight must not carry the surface around it


def merge_surfaces(
    training: Training, sparse: SparseCloud, points: Tensor, config: BuildConfig
) -> tuple[MergedCloud, float]:
    """Carry surface points of all aligned views onto the canonical shape.

    Return them and the share that was kept.
    """
    carried, features, facing, source, total = [], [], [], [], 0
    count, most = len(training.evidence), max(len(view.looks) for view in training.evidence)
    for row in sparse.aligned.usable.nonzero()[:, 0].tolist():
        view = training.evidence[row % count]
        of_looks = (
            look.surface_features if row < count else look.mirrored_surface_features for look in view.looks
        )
        own = [features for features in of_looks if features is not None]
        if not own:
            continue
        own += own[-1:] * (most - len(own))  # a view without a coarse copy is as small itself
        surface = lift_surface(view, float(training.focals[row % count]))
        surface = mirror_points(surface) if row >= count else surface
        aligned = sparse.aligned
        moved = apply_similarity(surface, aligned.scale[row], aligned.rotation[row], aligned.translation[row])
        shown = sparse.weight[row] > TRUSTED
        kept, inside = carry_surface(moved, aligned.points[row, shown], points[shown], config.hull_tolerance)
        carried.append(kept)
        features.append(torch.stack(own, 1)[inside])
        to_camera = torch.nn.functional.normalize(-surface[inside], dim=-1)
        facing.append(to_camera @ aligned.rotation[row].T)
        source.append(torch.full((len(kept),), float(row)))
        total += len(surface)
    merged = MergedCloud(torch.cat(carried), torch.cat(features), torch.cat(facing), torch.cat(source))
    return merged, round(len(merged.points) / max(1, total), 4)
