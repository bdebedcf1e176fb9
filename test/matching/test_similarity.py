import pytest
import torch
from methods.semalign3d.alignment import fabricated

from semcorr_ros.geometry import cameras, grid
from semcorr_ros.matching import aligned, nearest_neighbor
from semcorr_ros.matching._visibility import visible_share


@pytest.fixture(scope="module")
def scene():
    """A class with its true alignment to two views."""
    model = fabricated.make_class()
    return model, fabricated.true_view(model, 30, 25), fabricated.true_view(model, 140, 25)


@pytest.mark.parametrize("matcher", [aligned, nearest_neighbor])
def test_similarity_covers_the_target_cells(scene, matcher):
    points = torch.tensor([[64.0, 48.0], [60.0, 40.0]])
    map_ = matcher.similarity(*scene, points)
    assert map_.shape == (2, *fabricated.SIZE)
    assert torch.isfinite(map_).all()
    assert map_.max() <= 1 + 1e-5


def test_nearest_neighbor_answers_the_maximum_of_its_similarity(scene):
    points = torch.tensor([[64.0, 48.0], [60.0, 40.0]])
    cells = nearest_neighbor.similarity(*scene, points).flatten(1).argmax(-1)
    centers = grid.cell_centers(fabricated.SIZE, fabricated.SIZE).reshape(-1, 2)
    torch.testing.assert_close(nearest_neighbor.match(*scene, points).points, centers[cells])


def test_aligned_similarity_peaks_near_its_answer_and_is_low_where_hidden(scene):
    model, source, target = scene
    pixels = cameras.project(source.aligned.dense[0], source.aligned.camera)
    front = visible_share(source.aligned.dense[0], source.aligned) > 0.9
    in_target = visible_share(target.aligned.dense[0], target.aligned)
    peaks = aligned.similarity(model, source, target, pixels[front]).flatten(1)
    best, cell = peaks.max(-1)
    centers = grid.cell_centers(fabricated.SIZE, fabricated.SIZE).reshape(-1, 2)
    answered = aligned.match(model, source, target, pixels[front]).points
    visible, hidden = in_target[front] > 0.9, in_target[front] < 0.1
    assert (centers[cell] - answered).norm(dim=-1)[visible].median() < 4
    assert best[visible].median() > 3 * best[hidden].median()
