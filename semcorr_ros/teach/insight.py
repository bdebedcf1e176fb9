"""What the page draws: a class in 3D with its shape modes, an answer, the energy behind it. JSON-ready."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from semcorr_ros.answer import Answer
from semcorr_ros.geometry import cameras
from semcorr_ros.methods import Model
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation
from semcorr_ros.methods.semalign3d.model import SemAlign3D
from semcorr_ros.reasons import REASONS
from semcorr_ros.refusal import Code
from semcorr_ros.visualization.class_picture import feature_colors

MOST_POINTS = 1500  # of a cloud that is sent
MODES = 5  # that get a slider


def representation_of(model: Model | None) -> ClassRepresentation | None:
    """Return what a class looks like in 3D; None for a method that has no such thing."""
    return model.representation if isinstance(model, SemAlign3D) else None


def class_json(model: ClassRepresentation) -> dict[str, Any]:
    """Describe a class: cloud, colors by features and by certainty, keypoints, skeleton, shape modes.

    A mode moves keypoint k by its row, and surface points with them; one unit is a standard deviation.
    """
    rows = _thinned(len(model.dense.weight))
    weights = model.dense.barycentric[rows].cpu()
    modes = model.shape_modes[:MODES].cpu()
    certainty = model.dense.prototypes.similarity_mean[rows].cpu()
    return {
        "name": model.info.name,
        "keypoints": [
            {"name": name, "xyz": _rounded(xyz), "known": bool(known)}
            for name, xyz, known in zip(
                model.info.keypoint_names, model.sparse.cpu(), model.annotated, strict=True
            )
        ],
        "edges": [list(edge) for edge in model.info.edges],
        "cloud": _rounded(weights @ model.sparse.cpu()),
        "features": feature_colors(model.dense.prototypes.features[rows].cpu()).tolist(),
        "certainty": _rounded(certainty),
        "modes": [
            {
                "keypoints": _rounded(mode),
                "cloud": _rounded(weights @ mode),
                "size": round(float(mode.norm()), 4),
            }
            for mode in modes
        ],
        "metric_scale": model.metric_scale,
    }


def answer_json(answer: Answer, least: float) -> dict[str, Any]:
    """Describe an answer: points with states, confidence, the reason of a refusal and what to do about it,
    energy by term, and the surface over the picture. least: the confidence it needed."""
    told: dict[str, Any] = {
        "found": answer.found,
        "confidence": _number(answer.confidence),
        "least": round(least, 3),
        "note": answer.note,
        "points": [
            {
                "name": name,
                "state": state.name,
                "pixel": _known(pixel),
                "xyz": _known(xyz),
                "score": round(float(score), 3),
            }
            for name, state, pixel, xyz, score in zip(
                answer.names, answer.states, answer.pixels, answer.xyz, answer.scores, strict=True
            )
        ],
        "edges": [list(edge) for edge in answer.edges],
    }
    if answer.refusal is not None:
        reason = REASONS.get(answer.refusal.code)
        told["refusal"] = {
            "code": Code(answer.refusal.code).name,
            "message": answer.refusal.message,
            "fix": reason.fix if reason else "",
        }
    if answer.placed is not None:
        told["energy"] = {
            name: round(float(value), 4)
            for name, value in answer.placed.facts.get("energy_by_term", {}).items()
        }
        told["surface"] = _surface(answer)
    return told


def direction_of(answer: Answer) -> tuple[float, float] | None:
    """Return azimuth and elevation, degrees, from where the camera sees the object; None without a pose."""
    if answer.pose is None:
        return None
    eye = -(answer.pose.rotation.T @ answer.pose.translation).double()
    level = math.hypot(float(eye[0]), float(eye[1]))
    azimuth = math.degrees(math.atan2(float(eye[1]), float(eye[0])))
    return azimuth, math.degrees(math.atan2(float(eye[2]), level))


def _surface(answer: Answer) -> list[list[float]]:
    """Return pixels (x, y) and colors of the surface that faces the camera, far ones first."""
    assert answer.placed is not None
    shape = answer.placed.shape
    if shape is None:
        return []
    rows = _thinned(len(shape.surface))
    points = shape.surface[rows].cpu()
    ahead = points[:, 2] > 0
    pixels = cameras.project(points, shape.camera).cpu()
    order = points[:, 2].argsort(descending=True)
    return [[round(v, 1) for v in pixels[i].tolist()] for i in order.tolist() if ahead[i]]


def _thinned(count: int) -> Tensor:
    return torch.linspace(0, count - 1, min(count, MOST_POINTS)).round().long()


def _rounded(values: Tensor) -> Any:
    return [round(v, 4) for v in values.tolist()] if values.dim() == 1 else [_rounded(row) for row in values]


def _known(values: Tensor) -> list[float] | None:
    return [round(v, 4) for v in values.tolist()] if bool(torch.isfinite(values).all()) else None


def _number(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None
