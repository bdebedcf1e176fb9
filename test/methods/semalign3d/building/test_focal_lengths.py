from dataclasses import replace

import builders
import pytest
import torch

from semcorr_ros.methods.semalign3d.building.config import BuildConfig
from semcorr_ros.methods.semalign3d.building.evidence import observe
from semcorr_ros.methods.semalign3d.building.focal_lengths import _prior, _problem, focal_lengths


def _evidence(count, seed, known_camera=False):
    pictures = builders.pictures(count, seed, known_camera=known_camera)
    generator = torch.Generator().manual_seed(0)
    truth = torch.tensor([float(picture.camera.focal.mean()) / 160 for picture in pictures])
    return [observe(p.sample, BuildConfig(), generator) for p in pictures], truth


@pytest.mark.parametrize("flip", [None, builders.FLIP])
def test_focal_lengths_are_recovered_in_spite_of_shape_variation(flip):
    evidence, truth = _evidence(30, seed=1)
    found = focal_lengths(evidence, flip, BuildConfig(), torch.Generator().manual_seed(0))
    error = (found / truth - 1).abs()
    assert error.median() < 0.1
    assert error.median() < 0.5 * (1.3 / truth - 1).abs().median()  # far better than a typical lens


def test_known_cameras_are_kept_and_help_the_others():
    evidence, truth = _evidence(20, seed=2, known_camera=True)
    mixed = [view if i % 2 else replace(view, camera=None) for i, view in enumerate(evidence)]
    found = focal_lengths(mixed, None, BuildConfig(), torch.Generator().manual_seed(0))
    assert torch.allclose(found[1::2], truth[1::2])
    assert (found[::2] / truth[::2] - 1).abs().median() < 0.15


def test_the_variance_of_angles_and_ratios_is_least_at_what_is_found():
    """Eq. 3 is minimised, not looked up on a grid of values a seventh apart: no step aside is better."""
    evidence, _ = _evidence(12, seed=1)
    config = BuildConfig()
    found = focal_lengths(evidence, builders.FLIP, config, torch.Generator().manual_seed(0)).log()
    known = torch.zeros(12, dtype=torch.bool)
    problem = _problem(evidence, known, builders.FLIP, config, torch.Generator().manual_seed(0))

    def cost(log_focal):
        measures = problem.measures(log_focal)
        return float((problem.cost(measures, problem.mean(measures)) + _prior(log_focal)).sum())

    least = cost(found)
    for step in (-0.03, 0.03):
        assert cost(found + step) > least
        assert all(cost(found + step * torch.eye(12)[view]) > least for view in range(12))


def test_a_search_that_begins_elsewhere_ends_at_the_same_focal_lengths():
    evidence, _ = _evidence(12, seed=1)
    fresh, begun = (
        focal_lengths(evidence, None, BuildConfig(), torch.Generator().manual_seed(0), start)
        for start in (None, torch.full((12,), 1.2))
    )
    assert (begun / fresh - 1).abs().median() < 0.02


def test_too_little_evidence_gives_a_typical_lens_within_bounds():
    evidence, _ = _evidence(2, seed=4)
    found = focal_lengths(evidence, None, BuildConfig(), torch.Generator().manual_seed(0))
    low, high = BuildConfig().focal_range
    assert torch.isfinite(found).all()
    assert ((found >= low) & (found <= high)).all()
