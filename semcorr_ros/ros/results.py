"""An aligned class as messages: its pose and every one of its keypoints."""

from __future__ import annotations

import torch

from semcorr_ros import pipeline
from semcorr_ros.artifacts import ClassRepresentation
from semcorr_ros.matching import View
from semcorr_ros.ros.messages import instance_message, keypoint_messages, pose_message
from semcorr_ros.ros.outputs import Found
from semcorr_ros.ros.refusal import Code, Refusal


def describe(model: ClassRepresentation, view: View, instance_id: str, min_score: float) -> Found:
    """Every keypoint, also never annotated ones: the skeleton's indices are those of the class."""
    assert view.aligned is not None
    ids = torch.arange(len(model.info.keypoint_names), device=model.sparse.device)
    points = pipeline.transfer_keypoints(model, view.seen, view.aligned, ids)
    keypoints = keypoint_messages(model.info.keypoint_names, points, min_score)
    pose = pose_message(model, view.aligned, instance_id)
    return Found(instance_message(model, keypoints, instance_id), pose)


def too_uncertain(confidence: float, min_score: float) -> Refusal:
    """What is said of an object that was placed, but not well."""
    return Refusal(Code.LOW_SCORE, f"confidence {confidence:.2f} is below min_score {min_score:.2f}")
