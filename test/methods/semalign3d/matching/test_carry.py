"""Matching through true alignments: a surface point must be found where it really is."""

from dataclasses import replace

import pytest
import torch
from methods.semalign3d.alignment import fabricated

from semcorr_ros.artifacts import KeypointState
from semcorr_ros.geometry import cameras, grid
from semcorr_ros.methods.semalign3d.matching.carry import carry, explain
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


def test_what_explains_a_pixel_is_near_it_looks_like_it_and_is_seen(scene):
    """p_spatial p_sem of every class point, written out; among those around the best one (Eq. 14)."""
    model, source, _ = scene
    asked, _ = _shared_points(*scene[1:])
    asked = asked[::7]
    weights = explain(model, replace(source, seen=replace(source.seen, depth=None)), asked)
    xyz = torch.cat([source.aligned.dense[0], source.aligned.keypoints[0]])
    canonical = torch.cat([model.dense.barycentric @ model.sparse, model.sparse])
    shown = visible_share(xyz, source.aligned)
    shown[len(model.dense.weight) :] *= 2.7
    pixels = cameras.project(xyz, source.aligned.camera)
    sigma = 0.1 * (pixels - pixels.mean(0)).square().sum(-1).mean().sqrt()
    tables = model.dense.prototypes, model.sparse_prototypes
    features, mean, std = (
        torch.cat([getattr(table, name) for table in tables])
        for name in ("features", "similarity_mean", "similarity_std")
    )
    for row, pixel in zip(weights, asked, strict=True):
        similarity = features @ grid.features_at(source.seen.features, pixel[None])[0]
        semantic = ((similarity - mean).clamp_max(0) / std.clamp_min(0.05)) ** 2
        spatial = (pixels - pixel).square().sum(-1) / sigma**2
        product = torch.exp(-0.5 * (semantic + spatial)) * shown.clamp_min(1e-6)
        near = (canonical - canonical[product.argmax()]).norm(dim=-1) * 3 / 0.35
        expected = product * torch.exp(-0.5 * near**2)
        torch.testing.assert_close(row, expected / expected.sum(), rtol=2e-3, atol=1e-5)


def test_features_decide_between_points_that_are_as_near(scene):
    """Exchange the looks of the class's points: what explains a pixel changes with them."""
    model, source, _ = scene
    asked, _ = _shared_points(*scene[1:])
    turned = replace(model.dense.prototypes, features=model.dense.prototypes.features.roll(1, 0))
    other = replace(model, dense=replace(model.dense, prototypes=turned))
    before, after = (explain(each, source, asked).argmax(-1) for each in (model, other))
    assert (before != after).float().mean() > 0.7
