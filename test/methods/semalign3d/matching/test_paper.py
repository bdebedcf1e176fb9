"""Eq. 14 as published, held to its definition written out by loops."""

import math
from dataclasses import replace

import pytest
import torch
from methods.semalign3d.alignment import fabricated

from semcorr_ros.geometry import cameras, grid
from semcorr_ros.methods.semalign3d.matching import paper

SIGMA = 0.05


@pytest.fixture(scope="module")
def scene():
    """A class with its true alignment to two views."""
    model = fabricated.make_class()
    return model, fabricated.true_view(model, 30, 25), fabricated.true_view(model, 75, 15)


def _probability(model, view, pixel, keypoint, sigma=SIGMA):
    """p_spatial p_sem of one pixel and one keypoint (Eq. 4-6)."""
    side = max(view.seen.features.image_size)
    at = cameras.project(view.aligned.keypoints[0, keypoint, None], view.aligned.camera)[0]
    feature = grid.interpolated(view.seen.features, pixel[None])[0]
    similarity = feature @ model.sparse_prototypes.features[keypoint]
    deviation = float(similarity - model.sparse_prototypes.similarity_mean[keypoint])
    semantic = deviation / float(model.sparse_prototypes.similarity_std[keypoint])
    spatial = float((pixel - at).norm()) / side / sigma
    return math.exp(-0.5 * (semantic**2 + spatial**2))


def test_the_keypoint_that_explains_a_pixel_has_the_largest_product(scene):
    model, source, _ = scene
    points = torch.tensor([[40.0, 40.0], [64.0, 48.0], [70.0, 60.0], [80.0, 30.0]])
    found = paper.explaining(model, source, points, SIGMA).tolist()
    annotated = model.annotated.nonzero()[:, 0].tolist()
    for pixel, row in zip(points, found, strict=True):
        every = [_probability(model, source, pixel, keypoint) for keypoint in annotated]
        assert every[row] == pytest.approx(max(every))


@pytest.mark.parametrize("sigma", [SIGMA, 1.0])
def test_the_answer_is_the_best_of_all_pixels_of_the_target(scene, sigma):
    model, source, target = scene
    points = torch.tensor([[64.0, 48.0], [70.0, 60.0]])
    rows = paper.explaining(model, source, points, sigma)
    keypoints = model.annotated.nonzero()[:, 0][rows].tolist()
    answers = paper.carry(model, source, target, points, sigma).points
    height, width = target.seen.features.image_size
    for answer, keypoint in zip(answers, keypoints, strict=True):
        best = _probability(model, target, answer, keypoint, sigma)
        for y in range(0, height, 3):
            for x in range(0, width, 3):
                pixel = torch.tensor([float(x), float(y)])
                assert _probability(model, target, pixel, keypoint, sigma) <= best * (1 + 1e-4)


def test_with_a_wide_sigma_features_alone_decide(scene):
    model, source, target = scene
    points = torch.tensor([[64.0, 48.0]])
    moved = replace(target.aligned, keypoints=target.aligned.keypoints + torch.tensor([0.2, 0.1, 0.0]))
    views = target, replace(target, aligned=moved)
    there, elsewhere = (paper.carry(model, source, view, points, 1e3).points for view in views)
    torch.testing.assert_close(there, elsewhere)


def test_similarity_has_no_certainty_that_the_paper_does_not_have(scene):
    """A feature that is more alike than training features were is as unusual as one that is less so."""
    model, source, target = scene
    points = torch.tensor([[64.0, 48.0]])
    row = int(paper.explaining(model, source, points, SIGMA))
    keypoint = int(model.annotated.nonzero()[row, 0])
    map_ = paper.similarity(model, source, target, points, 1e3)[0]
    features = target.seen.features.values @ model.sparse_prototypes.features[keypoint]
    deviation = (features - model.sparse_prototypes.similarity_mean[keypoint]) / (
        model.sparse_prototypes.similarity_std[keypoint]
    )
    expected = torch.exp(-0.5 * deviation**2)
    shown = (map_ / expected)[expected > 1e-30]  # the background underflows
    assert shown.std() < 1e-3 * shown.mean()
