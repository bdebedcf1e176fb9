from dataclasses import replace

import pytest
import torch
from methods.semalign3d.alignment import fabricated

from semcorr_ros.geometry import cameras, grid
from semcorr_ros.methods import nearest_neighbor
from semcorr_ros.methods._features import cosine_similarity
from semcorr_ros.methods.semalign3d.matching import carry, paper
from semcorr_ros.methods.semalign3d.matching.visibility import visible_share
from semcorr_ros.methods.semalign3d.matching_config import MatchingConfig

SIGMA = MatchingConfig().sigma


@pytest.fixture(scope="module")
def scene():
    """A class with its true alignment to two views."""
    model = fabricated.make_class()
    return model, fabricated.true_view(model, 30, 25), fabricated.true_view(model, 140, 25)


def by_features(model, source, target, points, _):
    return cosine_similarity(source.seen.features, target.seen.features, points)


@pytest.mark.parametrize("similarity", [carry.similarity, paper.similarity, by_features])
def test_similarity_covers_the_target_cells(scene, similarity):
    points = torch.tensor([[64.0, 48.0], [60.0, 40.0]])
    map_ = similarity(*scene, points, SIGMA)
    assert map_.shape == (2, *fabricated.SIZE)
    assert torch.isfinite(map_).all()
    assert map_.max() <= 1 + 1e-5


def test_nearest_neighbor_answers_the_maximum_of_its_similarity(scene):
    points = torch.tensor([[64.0, 48.0], [60.0, 40.0]])
    cells = by_features(*scene, points, SIGMA).flatten(1).argmax(-1)
    centers = grid.cell_centers(fabricated.SIZE, fabricated.SIZE).reshape(-1, 2)
    found = nearest_neighbor.match(scene[1].seen.features, scene[2].seen.features, points)
    torch.testing.assert_close(found.points, centers[cells])


def test_aligned_similarity_peaks_near_its_answer_and_is_low_where_hidden(scene):
    model, source, target = scene
    pixels = cameras.project(source.aligned.dense[0], source.aligned.camera)
    front = visible_share(source.aligned.dense[0], source.aligned) > 0.9
    in_target = visible_share(target.aligned.dense[0], target.aligned)
    peaks = carry.similarity(model, source, target, pixels[front], SIGMA).flatten(1)
    best, cell = peaks.max(-1)
    centers = grid.cell_centers(fabricated.SIZE, fabricated.SIZE).reshape(-1, 2)
    answered = carry.carry(model, source, target, pixels[front], SIGMA).points
    visible, hidden = in_target[front] > 0.9, in_target[front] < 0.1
    assert (centers[cell] - answered).norm(dim=-1)[visible].median() < 4
    assert best[visible].median() > 3 * best[hidden].median()


def test_what_does_not_look_like_the_class_is_not_similar_wherever_the_class_was_placed(scene):
    """p_sem of Eq. 14, of every cell: a part of the target that looks like the background scores nothing."""
    model, source, target = scene
    points = torch.tensor([[64.0, 48.0], [70.0, 40.0]])
    whole = carry.similarity(model, source, target, points, 0.3)
    values = target.seen.features.values.clone()
    values[40:] = torch.eye(values.shape[-1])[0]
    other = replace(target, seen=replace(target.seen, features=replace(target.seen.features, values=values)))
    part = carry.similarity(model, source, other, points, 0.3)
    torch.testing.assert_close(part[:, :40], whole[:, :40])
    assert part[:, 40:].max() < 0.05 * whole[:, 40:].max()
