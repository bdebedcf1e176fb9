"""What is told of an alignment, and what is not."""

import math
from dataclasses import replace

import pytest
import torch

from semcorr_ros import judgement
from semcorr_ros.artifacts import Correspondences, DepthMap, KeypointState, Observation, Pose
from semcorr_ros.features import FEATURES
from semcorr_ros.geometry import cameras
from semcorr_ros.refusal import Code

STATES = [KeypointState.VISIBLE, KeypointState.VISIBLE, KeypointState.VISIBLE, KeypointState.OCCLUDED]


def points() -> Correspondences:
    xyz = torch.ones(4, 3)
    xyz[1] = torch.nan
    score = torch.tensor([0.5, 0.5, 0.05, 0.05])
    return Correspondences(torch.zeros(4, 2), score, torch.tensor([int(s) for s in STATES]), xyz)


def test_unsure_points_and_points_without_a_position():
    given = points()
    told = judgement.judged(given, 0.1)
    assert [KeypointState(s).name for s in told.state.tolist()] == [
        "VISIBLE", "NO_DEPTH", "REJECTED", "OCCLUDED"
    ]  # fmt: skip
    assert torch.isfinite(told.xyz).all(-1).tolist() == [True, False, True, True]
    assert given.state.tolist() == [int(s) for s in STATES]  # what was judged is as it was


def test_the_sentence_does_not_contradict_itself():
    assert judgement.low_score(0.2968, 0.3).message == "confidence 0.2968 is below min_score 0.30"
    assert judgement.low_score(0.24, 0.3).message == "confidence 0.24 is below min_score 0.30"


def test_points_of_an_object_that_is_just_sure_enough_are_told():
    """They score its confidence times 0.5 to 1: here 0.3 times 0.8, and 0.6 where it looks otherwise."""
    given = points()
    given.score[:] = torch.tensor([0.24, 0.24, 0.18, 0.18])
    told = judgement.judged(given, 0.3)
    assert [KeypointState(s).name for s in told.state.tolist()] == [
        "VISIBLE", "NO_DEPTH", "REJECTED", "OCCLUDED"
    ]  # fmt: skip


def test_a_score_that_is_no_number_is_not_sure():
    given = points()
    given.score[0] = torch.nan
    assert judgement.judged(given, 0.0).state[0] == KeypointState.REJECTED


@pytest.mark.parametrize(("confidence", "refused"), [(0.09, True), (0.1, False), (math.nan, True)])
def test_the_least_confidence(confidence, refused):
    refusal = judgement.low_score(confidence, 0.1)
    assert (refusal is not None) == refused
    assert refusal is None or refusal.code == Code.LOW_SCORE


def test_least_confidences_are_of_backbones_that_exist():
    assert set(judgement.MIN_SCORE_ON) <= set(FEATURES.names())
    assert all(judgement.MIN_SCORE < value < 1 for value in judgement.MIN_SCORE_ON.values())


def test_a_backbone_may_have_its_own_least_confidence(monkeypatch):
    monkeypatch.setitem(judgement.MIN_SCORE_ON, "lidar", 0.4)
    assert judgement.min_score_for("lidar:01") == judgement.min_score_for("lidar:01", -1.0) == 0.4
    assert judgement.min_score_for("lidar:01", 0.0) == 0.0
    assert judgement.min_score_for("sonar:01") == judgement.MIN_SCORE


@pytest.mark.parametrize(
    ("times", "doubted"), [(0.3, True), (0.4, False), (1.0, False), (2.9, False), (3.1, True)]
)
@pytest.mark.parametrize("posed", [True, False])
def test_a_size_that_contradicts_the_class(times, doubted, posed):
    focal, side, away = 100.0, 20, 0.5 * times  # 0.1 m times `times`
    mask = torch.zeros(40, 60, dtype=torch.bool)
    mask[5 : 5 + side, 10:18] = True
    camera = cameras.centered(focal, (40, 60))
    depth = DepthMap(torch.full((40, 60), away), metric=True)
    seen = Observation(torch.zeros(40, 60, 3, dtype=torch.uint8), None, mask, depth, camera)
    size = torch.tensor([0.0, 0.06, 0.08]) * times
    pose = Pose(torch.eye(3), torch.zeros(3), 1.0, size, metric=True) if posed else None
    said = judgement.size_doubt(seen, pose, 0.1)
    assert bool(said) == doubted
    assert not doubted or f"is {0.1 * times:.2g} m large, but the class 0.1 m" in said
    assert judgement.size_doubt(seen, pose, 0.0) == ""
    assert judgement.size_doubt(replace(seen, depth=replace(depth, metric=False)), pose, 0.1) == ""
