"""An aligned class as messages: its pose and every one of its keypoints."""

from __future__ import annotations

import math

import torch

from semcorr_ros import pipeline
from semcorr_ros.matching import View
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation
from semcorr_ros.ros.messages import instance_message, keypoint_messages, pose_message
from semcorr_ros.ros.outputs import Found
from semcorr_ros.sensing.identities import Sighting
from semcorr_ros.sensing.judgement import low_score


def describe(model: ClassRepresentation, view: View, instance_id: str, min_score: float) -> Found:
    """Every keypoint, also never annotated ones: the skeleton's indices are those of the class."""
    assert view.aligned is not None
    ids = torch.arange(len(model.info.keypoint_names), device=model.sparse.device)
    points = pipeline.transfer_keypoints(model, view.seen, view.aligned, ids)
    refused = low_score(float(view.aligned.confidence[0]), min_score) is not None
    keypoints = keypoint_messages(model.info.keypoint_names, points, min_score, refused)
    pose = pose_message(model, view.aligned, instance_id)
    return Found(instance_message(model, keypoints, instance_id), pose)


def renamed(found: Found, instance_id: str) -> Found:
    """The same object under an id."""
    found.keypoints.instance_id = found.pose.instance_id = instance_id
    return found


def sighting(found: Found) -> Sighting:
    """What tells one object from the next: where it is, and how large."""
    pixels = [(k.pixel.x, k.pixel.y) for k in found.keypoints.keypoints if math.isfinite(k.pixel.x)]
    columns, rows = zip(*pixels, strict=True) if pixels else ((math.nan,), (math.nan,))
    center = ((min(columns) + max(columns)) / 2, (min(rows) + max(rows)) / 2)
    extent = max(max(columns) - min(columns), max(rows) - min(rows))
    if not found.pose.metric:
        return Sighting(center, extent)
    at, size = found.pose.pose.position, found.pose.size
    return Sighting(center, extent, (at.x, at.y, at.z), math.hypot(size.x, size.y, size.z))
