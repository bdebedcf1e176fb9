"""A turning object is followed without searching; one that is gone is searched for again."""

from dataclasses import replace

import pytest
import torch

from semcorr_ros.geometry import cameras
from semcorr_ros.methods.semalign3d import alignment
from semcorr_ros.methods.semalign3d.alignment import AlignmentConfig, tracking
from semcorr_ros.methods.semalign3d.alignment.evidence import EvidenceConfig, gather_evidence
from test.methods.semalign3d.alignment import fabricated

RADIUS = 0.05  # of the fabricated object, metres


@pytest.fixture(scope="module")
def model():
    return fabricated.make_class()


def _generator():
    return torch.Generator().manual_seed(0)


def _turning(model, azimuth):
    return fabricated.observe(model, azimuth, 15, (1.0, -0.5))


@pytest.mark.parametrize("depth", [True, False])
def test_follows_a_turning_object_without_searching(model, depth):
    tracker = tracking.Tracker(model, AlignmentConfig())
    for azimuth in range(40, 130, 6):
        seen, truth = _turning(model, azimuth)
        found = tracker.update(seen if depth else replace(seen, depth=None), _generator())
        pixels = cameras.project(found.keypoints[0], found.camera)
        error = (pixels - cameras.project(truth.keypoints, truth.camera)).norm(dim=-1)
        assert error.median() < 4, azimuth
        if depth:
            assert (found.keypoints[0] - truth.keypoints).norm(dim=-1).median() < 0.25 * RADIUS
    assert tracker.searches == 1


def test_an_object_that_turned_round_is_searched_for(model):
    tracker = tracking.Tracker(model, AlignmentConfig())
    tracker.update(_turning(model, 40)[0], _generator())
    seen, truth = _turning(model, 220)
    found = tracker.update(seen, _generator())
    assert tracker.searches == 2
    cosine = ((found.rotation[0].T @ truth.rotation).trace() - 1) / 2
    assert torch.rad2deg(torch.acos(cosine.clamp(-1, 1))) < 15


def test_a_failure_does_not_leave_a_stale_pose(model):
    tracker = tracking.Tracker(model, AlignmentConfig())
    seen, _ = _turning(model, 40)
    tracker.update(seen, _generator())
    with pytest.raises(ValueError, match="mask is empty"):
        tracker.update(replace(seen, mask=torch.zeros_like(seen.mask)), _generator())
    assert tracker.last is None
    tracker.update(seen, _generator())
    assert tracker.searches == 2


def test_resumes_exactly_where_it_was(model):
    seen, _ = _turning(model, 70)
    last = alignment.align(model, seen, AlignmentConfig(), _generator())
    evidence = gather_evidence(model, seen, EvidenceConfig(), _generator())
    starts = tracking.resume(model, evidence, last)
    placed = starts.shape(model) @ starts.rotation.mT + starts.translation[:, None]
    torch.testing.assert_close(placed[0] * last.scale[0], last.keypoints[0], rtol=1e-3, atol=1e-4)
    assert (placed[1] - placed[0]).norm(dim=-1).max() < 0.3, "the object did not move"


def test_the_settings_of_following():
    """Sigma begins where the full search is after two fifths of its steps."""
    following = tracking.FOLLOWING
    assert (following.evidence.samples, following.evidence.candidates) == (512, 1536)
    optimize = following.optimize
    assert (optimize.steps, optimize.batch, optimize.begin) == (40, 192, 400.0)
    assert optimize.survivors == ((700, 1),)
    assert (tracking.MIN_CONFIDENCE, tracking.MIN_SHARE) == (0.3, 0.5)


@pytest.mark.parametrize(("share", "searches"), [(100.0, 2), (0.01, 1)])
def test_an_object_is_lost_below_a_share_of_the_confidence_of_its_last_search(
    model, monkeypatch, share, searches
):
    monkeypatch.setattr(tracking, "MIN_CONFIDENCE", 0.0)
    monkeypatch.setattr(tracking, "MIN_SHARE", share)
    tracker = tracking.Tracker(model, AlignmentConfig())
    for _ in range(2):
        tracker.update(_turning(model, 40)[0], _generator())
    assert tracker.searches == searches
