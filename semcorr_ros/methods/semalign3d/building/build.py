"""Build a class representation from annotated images: the five steps of SemAlign3D's offline part.

read -> focal lengths (Eq. 3) -> sparse cloud -> Beta statistics -> dense cloud -> prototypes
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from semcorr_ros import __version__
from semcorr_ros.artifacts import CategoryInfo, Prototypes
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation, Coarse, DenseCloud
from semcorr_ros.methods.semalign3d.building.beta_statistics import beta_statistics
from semcorr_ros.methods.semalign3d.building.config import BuildConfig
from semcorr_ros.methods.semalign3d.building.dense_cloud import (
    MergedCloud,
    cluster_surface,
    express_by_keypoints,
)
from semcorr_ros.methods.semalign3d.building.describe_build import describe
from semcorr_ros.methods.semalign3d.building.evidence import LazySample
from semcorr_ros.methods.semalign3d.building.gather_evidence import gather_evidence
from semcorr_ros.methods.semalign3d.building.merge_surfaces import merge_surfaces
from semcorr_ros.methods.semalign3d.building.prototypes import (
    keypoint_facing,
    keypoint_prototypes,
    surface_prototypes,
)
from semcorr_ros.methods.semalign3d.building.recognition import DOUBTFUL, recognition
from semcorr_ros.methods.semalign3d.building.refine_shape import refine_shape
from semcorr_ros.methods.semalign3d.building.report import Progress, Report
from semcorr_ros.methods.semalign3d.building.sparse_cloud import SparseCloud, sparse_cloud
from semcorr_ros.methods.semalign3d.building.training import Training, lift


def build(
    info: CategoryInfo,
    samples: Sequence[LazySample],
    config: BuildConfig,
    generator: torch.Generator,
    progress: Progress | None = None,
) -> tuple[ClassRepresentation, dict[str, Any]]:
    """Build a class representation and a report. The same samples and generator state give the same class.

    Broken images are skipped and named in the report. Raises ValueError if fewer than two remain.
    """
    report = Report(progress)
    with report.stage("read", 0.0):
        evidence, backbone = gather_evidence(samples, len(info.keypoint_names), config, generator, report)
    training = lift(info, evidence, config, generator, report)
    with report.stage("sparse cloud", 0.7):
        sparse = sparse_cloud(training.views, info, training.flip.accepted, config)
    with report.stage("statistics", 0.75):
        copies = 2 if training.flip.accepted else 1
        statistics = beta_statistics(sparse.aligned.points, sparse.weight, copies, config, generator)
        points = refine_shape(sparse.points, sparse.placed, statistics, config.refine_steps)
    with report.stage("keypoint prototypes", 0.8):
        prototypes = _keypoint_prototypes(training, sparse, config, 0)
    with report.stage("dense cloud", 0.85):
        merged, kept = merge_surfaces(training, sparse, points, config)
        dense = _dense(merged, (points, sparse, prototypes), config, generator, report)
        coarse = _coarse(training, sparse, (merged, points, dense), config)
    originals = ~training.views.mirrored & sparse.aligned.usable
    model = ClassRepresentation(
        info=info,
        sparse=points,
        annotated=sparse.placed,
        sparse_prototypes=prototypes,
        dense=dense,
        statistics=statistics,
        shape_modes=sparse.modes,
        view_rotations=sparse.aligned.rotation[originals].mT.contiguous(),
        metric_scale=_metric_scale(training, sparse),
        backbone=backbone,
        provenance=_provenance(training, len(samples)),
        coarse=coarse,
    )
    describe(report, training, sparse, model)
    _check_recognition(report, training)
    report.facts["dense"] = {"points": len(dense.weight), "merged": len(merged.points), "kept_share": kept}
    return model, report.content()


def _check_recognition(report: Report, training: Training) -> None:
    found = recognition(torch.stack([view.features for view in training.evidence]), training.info.flip)
    if found is None:
        return
    report.facts["keypoints"] |= {"recognized": round(found.share, 3), "by_chance": round(found.by_chance, 3)}
    if found.skill < DOUBTFUL:
        report.warn(
            f"only {found.share:.0%} of the annotated keypoints look like themselves in the other images "
            f"({found.by_chance:.0%} by guessing): are the annotations where they should be (pixels of the "
            "upright image, x to the right, y down; not percent, not of a resized copy)? If they are, this "
            "backbone cannot tell the parts of this class apart"
        )


def _keypoint_prototypes(
    training: Training, sparse: SparseCloud, config: BuildConfig, look: int
) -> Prototypes:
    """Compute prototypes from the pictures themselves (look 0) or from their coarse copies (look 1)."""
    looks = [view.looks[min(look, len(view.looks) - 1)] for view in training.evidence]
    features = [each.features for each in looks]
    if training.permutation is not None:
        order = torch.tensor(training.permutation)
        mirrored = [each.mirrored_features for each in looks]
        features += [values[order] for values in mirrored if values is not None]
    stacked = torch.stack(features)
    shown = training.views.visible & sparse.aligned.usable[:, None]
    facing = keypoint_facing(training.views.points, sparse.aligned.rotation, shown)
    prototypes = keypoint_prototypes(stacked, stacked.abs().sum(-1) > 0, config.similarity_std_floor)
    return replace(prototypes, facing=facing)


def _dense(
    merged: MergedCloud,
    keypoints: tuple[Tensor, SparseCloud, Prototypes],
    config: BuildConfig,
    generator: torch.Generator,
    report: Report,
) -> DenseCloud:
    points, sparse, prototypes = keypoints
    if len(merged.points) < 4:
        report.warn("no object pixel lies near the keypoints' hull: the dense cloud is only the keypoints")
        rows = torch.eye(len(points))[sparse.placed]
        own = [getattr(prototypes, name)[sparse.placed] for name in prototypes.__dataclass_fields__]
        return DenseCloud(rows, torch.full((len(rows),), 1 / len(rows)), Prototypes(*own))
    centers, weight = cluster_surface(merged, config, generator)
    barycentric = express_by_keypoints(centers, points, sparse.placed)
    surface = surface_prototypes(centers, merged, config.dense_neighbors, config.similarity_std_floor)
    return DenseCloud(barycentric, weight, surface)


def _coarse(
    training: Training,
    sparse: SparseCloud,
    surface: tuple[MergedCloud, Tensor, DenseCloud],
    config: BuildConfig,
) -> Coarse | None:
    """Compute what the same points look like in coarse copies; None where there are none."""
    merged, points, dense = surface
    if merged.features.shape[1] < 2 or len(merged.points) < 4:
        return None
    centers = dense.barycentric @ points
    return Coarse(
        config.coarse,
        _keypoint_prototypes(training, sparse, config, 1),
        surface_prototypes(centers, merged, config.dense_neighbors, config.similarity_std_floor, 1),
    )


def _metric_scale(training: Training, sparse: SparseCloud) -> float:
    """Compute the median metres per canonical unit over the views with metric depth, 0 if there are none."""
    scales = [
        1 / float(sparse.aligned.scale[row])
        for row, view in enumerate(training.evidence)
        if view.metric and sparse.aligned.usable[row]
    ]
    return float(torch.tensor(scales).median()) if scales else 0.0


def _provenance(training: Training, offered: int) -> dict[str, str]:
    return {
        "built_by": f"semcorr_ros {__version__}",
        "images": f"{len(training.evidence)} of {offered}",
        "mirrored_views": "yes" if training.flip.accepted else "no",
        "cameras": "known" if all(view.camera is not None for view in training.evidence) else "estimated",
    }
