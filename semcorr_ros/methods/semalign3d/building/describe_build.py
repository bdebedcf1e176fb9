"""The part of the report that tells what became of the images and the keypoints."""

from __future__ import annotations

import torch

from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation
from semcorr_ros.methods.semalign3d.building.evidence import MIN_KEYPOINTS
from semcorr_ros.methods.semalign3d.building.report import Report
from semcorr_ros.methods.semalign3d.building.sparse_cloud import SparseCloud
from semcorr_ros.methods.semalign3d.building.training import Training

FEW_IMAGES = 10
DISAGREES = "its depth or its keypoints disagree with the other images"
TOO_FEW = "its keypoints lie on a line or are too few of those that could be placed"
SMALLEST, LARGEST = 0.005, 20.0  # metres: what lies on a table to a bus
FLAT = 0.03  # smallest over largest extent of coplanar keypoints


def describe(report: Report, training: Training, sparse: SparseCloud, model: ClassRepresentation) -> None:
    """Add skipped images, warnings and facts to the report."""
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
    if model.metric_scale > 0 and not SMALLEST < model.diameter < LARGEST:
        report.warn(
            f"the class is {model.diameter:.3g} m large: is its depth in another unit (--depth-scale)?"
        )
    coplanar = _coplanar(training, sparse)
    if len(coplanar) == count and not training.info.flat:
        report.warn(
            "in every image the visible keypoints lie in one plane, so how far the surface stands out of it "
            "is unknown: annotate keypoints off that plane, or images that show more of them"
        )
    unknown = [i for i, view in enumerate(evidence) if view.camera is None]
    report.facts |= {
        "category": training.info.name,
        "images": count,
        "coplanar": coplanar,
        "views": len(training.views.names),
        "swapped left/right?": list(training.swapped),
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


def _coplanar(training: Training, sparse: SparseCloud) -> list[str]:
    """List images whose visible keypoints lie in a plane.

    Used, but their surface is carried by similarity.
    """
    names = []
    for row, view in enumerate(training.evidence):
        points = sparse.points[sparse.weight[row] > 0]
        if len(points) >= MIN_KEYPOINTS:
            extents = torch.linalg.svdvals(points - points.mean(0))
            names += [view.name] if extents[2] < FLAT * extents[0] else []
    return names
