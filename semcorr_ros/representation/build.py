"""Build a class representation from annotated images: the five steps of SemAlign3D's offline part.

read -> focal lengths (Eq. 3) -> sparse cloud -> Beta statistics -> dense cloud -> prototypes
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros import __version__
from semcorr_ros.artifacts import CategoryInfo, ClassRepresentation, DenseCloud, Prototypes, Views
from semcorr_ros.geometry.similarity import apply_similarity
from semcorr_ros.representation.beta_statistics import beta_statistics
from semcorr_ros.representation.config import Config
from semcorr_ros.representation.dense_cloud import (
    MergedCloud,
    carry_surface,
    cluster_surface,
    express_by_keypoints,
)
from semcorr_ros.representation.evidence import MIN_KEYPOINTS, Evidence
from semcorr_ros.representation.flip_check import FlipCheck, check_flip
from semcorr_ros.representation.focal_lengths import focal_lengths
from semcorr_ros.representation.gather_evidence import gather_evidence
from semcorr_ros.representation.lift_views import add_mirrored, lift_surface, lift_views, mirror_points
from semcorr_ros.representation.prototypes import keypoint_facing, keypoint_prototypes, surface_prototypes
from semcorr_ros.representation.refine_shape import refine_shape
from semcorr_ros.representation.report import Progress, Report
from semcorr_ros.representation.samples import LazySample
from semcorr_ros.representation.sparse_cloud import SparseCloud, sparse_cloud

FEW_IMAGES = 10
DISAGREES = "its depth or its keypoints disagree with the other images"
TOO_FEW = "its keypoints lie on a line or are too few of those that could be placed"
FLAT = 0.03  # smallest over largest extent of coplanar keypoints
TRUSTED = 0.3  # a keypoint with less weight must not carry the surface around it


@dataclass(frozen=True)
class _Training:
    """All that was read, lifted to 3D."""

    info: CategoryInfo
    evidence: list[Evidence]
    focals: Float[Tensor, "view"]
    flip: FlipCheck  # accepted: mirrored views follow the originals
    views: Views

    @property
    def permutation(self) -> tuple[int, ...] | None:
        return self.info.flip if self.flip.accepted else None


def build(
    info: CategoryInfo,
    samples: Sequence[LazySample],
    config: Config,
    generator: torch.Generator,
    progress: Progress | None = None,
) -> tuple[ClassRepresentation, dict[str, Any]]:
    """Class representation and report. The same samples and generator state give the same class.

    Broken images are skipped and named in the report. Raises ValueError if fewer than two remain.
    """
    report = Report(progress)
    with report.stage("read", 0.0):
        evidence, backbone = gather_evidence(samples, len(info.keypoint_names), config, generator, report)
    training = _lift(info, evidence, config, generator, report)
    with report.stage("sparse cloud", 0.7):
        sparse = sparse_cloud(training.views, info, training.flip.accepted, config)
    with report.stage("statistics", 0.75):
        copies = 2 if training.flip.accepted else 1
        statistics = beta_statistics(sparse.aligned.points, sparse.weight, copies, config, generator)
        points = refine_shape(sparse.points, sparse.placed, statistics, config.refine_steps)
    with report.stage("keypoint prototypes", 0.8):
        prototypes = _keypoint_prototypes(training, sparse, config)
    with report.stage("dense cloud", 0.85):
        merged, kept = _merge(training, sparse, points, config)
        dense = _dense(merged, (points, sparse, prototypes), config, generator, report)
    originals = ~training.views.mirrored & sparse.aligned.usable
    model = ClassRepresentation(
        info=info,
        sparse=points,
        seen=sparse.placed,
        sparse_prototypes=prototypes,
        dense=dense,
        statistics=statistics,
        shape_modes=sparse.modes,
        view_rotations=sparse.aligned.rotation[originals].mT.contiguous(),
        metric_scale=_metric_scale(training, sparse),
        backbone=backbone,
        provenance=_provenance(training, len(samples)),
    )
    _describe(report, training, sparse, model)
    report.facts["dense"] = {"points": len(dense.weight), "merged": len(merged.points), "kept_share": kept}
    return model, report.content()


def _lift(
    info: CategoryInfo,
    evidence: list[Evidence],
    config: Config,
    generator: torch.Generator,
    report: Report,
) -> _Training:
    with report.stage("focal lengths", 0.6):
        focals = focal_lengths(evidence, None, config, generator)
        views = lift_views(evidence, focals)
    with report.stage("flip table", 0.65):
        check = check_flip(views, info.flip, generator)
        if not config.mirror:
            check = FlipCheck(False, "mirroring is switched off", check.distance_score, check.volume_score)
        elif not check.accepted:
            report.warn(f"mirrored views are not used: {check.reason}")
    if check.accepted and info.flip is not None:
        with report.stage("focal lengths, mirrored", 0.66):
            # Left and right sides now tell about each other.
            focals = focal_lengths(evidence, info.flip, config, generator, start=focals)
        views = add_mirrored(lift_views(evidence, focals), info.flip)
    return _Training(info, evidence, focals, check, views)


def _keypoint_prototypes(training: _Training, sparse: SparseCloud, config: Config) -> Prototypes:
    features = [view.features for view in training.evidence]
    if training.permutation is not None:
        order = torch.tensor(training.permutation)
        mirrored = [view.mirrored_features for view in training.evidence]
        features += [values[order] for values in mirrored if values is not None]
    stacked = torch.stack(features)
    shown = training.views.visible & sparse.aligned.usable[:, None]
    facing = keypoint_facing(training.views.points, sparse.aligned.rotation, shown)
    prototypes = keypoint_prototypes(stacked, stacked.abs().sum(-1) > 0, config.similarity_std_floor)
    return replace(prototypes, facing=facing)


def _merge(
    training: _Training, sparse: SparseCloud, points: Tensor, config: Config
) -> tuple[MergedCloud, float]:
    """Surface points of all aligned views on the canonical shape, and the share that was kept."""
    carried, features, facing, source, total = [], [], [], [], 0
    count = len(training.evidence)
    for row in sparse.aligned.usable.nonzero()[:, 0].tolist():
        view = training.evidence[row % count]
        own = view.surface_features if row < count else view.mirrored_surface_features
        if own is None:
            continue
        surface = lift_surface(view, float(training.focals[row % count]))
        surface = mirror_points(surface) if row >= count else surface
        aligned = sparse.aligned
        moved = apply_similarity(surface, aligned.scale[row], aligned.rotation[row], aligned.translation[row])
        shown = sparse.weight[row] > TRUSTED
        kept, inside = carry_surface(moved, aligned.points[row, shown], points[shown], config.hull_tolerance)
        carried.append(kept)
        features.append(own[inside])
        to_camera = torch.nn.functional.normalize(-surface[inside], dim=-1)
        facing.append(to_camera @ aligned.rotation[row].T)
        source.append(torch.full((len(kept),), float(row)))
        total += len(surface)
    merged = MergedCloud(torch.cat(carried), torch.cat(features), torch.cat(facing), torch.cat(source))
    return merged, round(len(merged.points) / max(1, total), 4)


def _dense(
    merged: MergedCloud,
    keypoints: tuple[Tensor, SparseCloud, Prototypes],
    config: Config,
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


def _metric_scale(training: _Training, sparse: SparseCloud) -> float:
    """Median metres per canonical unit over the views with metric depth, 0 if there are none."""
    scales = [
        1 / float(sparse.aligned.scale[row])
        for row, view in enumerate(training.evidence)
        if view.metric and sparse.aligned.usable[row]
    ]
    return float(torch.tensor(scales).median()) if scales else 0.0


def _provenance(training: _Training, offered: int) -> dict[str, str]:
    return {
        "built_by": f"semcorr_ros {__version__}",
        "images": f"{len(training.evidence)} of {offered}",
        "mirrored_views": "yes" if training.flip.accepted else "no",
        "cameras": "known" if all(view.camera is not None for view in training.evidence) else "estimated",
    }


def _coplanar(training: _Training, sparse: SparseCloud) -> list[str]:
    """Images whose visible keypoints lie in a plane: used, but their surface is carried by similarity."""
    names = []
    for row, view in enumerate(training.evidence):
        points = sparse.points[sparse.weight[row] > 0]
        if len(points) >= MIN_KEYPOINTS:
            extents = torch.linalg.svdvals(points - points.mean(0))
            names += [view.name] if extents[2] < FLAT * extents[0] else []
    return names


def _describe(report: Report, training: _Training, sparse: SparseCloud, model: ClassRepresentation) -> None:
    evidence, count = training.evidence, len(training.evidence)
    for row in (~sparse.aligned.usable[:count]).nonzero()[:, 0].tolist():
        report.skip(evidence[row].name, DISAGREES if sparse.disagrees[row] else TOO_FEW)
    if count < FEW_IMAGES:
        report.warn(f"{count} images give weak statistics; {FEW_IMAGES} to 50 are better")
    names = training.info.keypoint_names
    ever = torch.stack([view.features.abs().sum(-1) > 0 for view in evidence]).any(0)
    lost = [names[i] for i in (ever & ~sparse.placed).nonzero()[:, 0].tolist()]
    if lost:
        report.warn(f"keypoints annotated too rarely to be placed: {', '.join(lost)}")
    unknown = [i for i, view in enumerate(evidence) if view.camera is None]
    report.facts |= {
        "category": training.info.name,
        "images": count,
        "coplanar": _coplanar(training, sparse),
        "views": len(training.views.names),
        "flip": {"used": training.flip.accepted, "reason": training.flip.reason},
        "focal_lengths": {evidence[i].name: round(float(training.focals[i]), 4) for i in unknown},
        "keypoints": {
            "placed": int(sparse.placed.sum()),
            "never_annotated": [names[i] for i in (~ever).nonzero()[:, 0].tolist()],
            "residual": round(sparse.residual, 4),
        },
        "gauge": {"mirror_plane": sparse.gauge.mirror_plane, "front_from": sparse.gauge.front_from},
        "statistics": {
            "edge_pairs": len(model.statistics.edge_pairs.indices),
            "frames": len(model.statistics.frames.indices),
        },
        "shape_modes": [
            round(float(m.norm() / max(1, int(sparse.placed.sum())) ** 0.5), 4) for m in sparse.modes
        ],
        "metric_scale": model.metric_scale,
    }
