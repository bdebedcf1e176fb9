"""Matching through true alignments: a surface point must be found where it really is."""

from dataclasses import replace

import pytest
from methods.semalign3d.alignment import fabricated

from semcorr_ros.artifacts import KeypointState
from semcorr_ros.geometry import cameras
from semcorr_ros.methods.semalign3d.matching.carry import carry
from semcorr_ros.methods.semalign3d.matching.visibility import visible_share
from semcorr_ros.methods.semalign3d.matching_config import MatchingConfig

SIGMA = MatchingConfig().sigma


@pytest.fixture(scope="module")
def scene():
    model = fabricated.make_class()
    return model, fabricated.true_view(model, 30, 25), fabricated.true_view(model, 75, 15)


def _shared_points(source, target):
    """Dense points seen from both sides, and their pixels."""
    source_shown, target_shown = (
        visible_share(v.aligned.dense[0], v.aligned) > 0.95 for v in (source, target)
    )
    shared = source_shown & target_shown
    return [cameras.project(view.aligned.dense[0, shared], view.aligned.camera) for view in (source, target)]


@pytest.mark.parametrize("with_depth", [True, False])
def test_points_seen_from_both_sides_are_found(scene, with_depth):
    model, source, target = scene
    asked, expected = _shared_points(source, target)
    if not with_depth:
        source = replace(source, seen=replace(source.seen, depth=None))
    error = (carry(model, source, target, asked, SIGMA).points - expected).norm(dim=-1)
    assert len(error) > 30
    assert error.median() < 1.5
    assert error.quantile(0.9) < 5


def test_an_image_matched_to_itself_answers_the_question(scene):
    model, source, _ = scene
    asked, _ = _shared_points(*scene[1:])
    found = carry(model, source, source, asked, SIGMA)
    assert (found.points - asked).norm(dim=-1).median() < 1
    assert (found.state == KeypointState.VISIBLE).float().mean() > 0.9
