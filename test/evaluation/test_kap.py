import math

import pytest
import torch

from semcorr_ros.artifacts import FeatureMap
from semcorr_ros.evaluation import kap


def test_average_precision_worked_example():
    found = kap.Detections((0.90, 0.95, 0.80, 0.30, 0.70), (True, False, True, False, False))
    assert kap.average_precision([found]) == pytest.approx(0.583333, abs=1e-6)


def test_equal_scores_are_one_threshold():
    found = kap.Detections((0.5, 0.5, 0.5, 0.1), (True, False, True, False))
    assert kap.average_precision([found]) == pytest.approx(2 / 3)
    split = [kap.Detections((0.5, 0.1), (True, False)), kap.Detections((0.5, 0.5), (False, True))]
    assert kap.average_precision(split) == pytest.approx(2 / 3)


def test_average_precision_without_positives_is_unknown():
    assert math.isnan(kap.average_precision([kap.Detections((0.3,), (False,))]))
    assert math.isnan(kap.average_precision([]))


SIMILARITY = torch.tensor(
    [
        [[0.9, 0.5, 0.4], [0.3, 0.2, 0.1], [0, 0.1, 0.95]],
        [[0.3, 0.2, 0.1], [0.2, 0.4, 0.5], [0.1, 0.6, 0.8]],
        [[0.2, 0.7, 0.1], [0.1, 0.1, 0.1], [0.1, 0.1, 0.1]],
    ]
)
TARGET = torch.tensor([[10.0, 4.0], [30.0, 30.0], [torch.nan, torch.nan]])
VISIBLE = torch.tensor([True, True, False])
FEATURES = FeatureMap(torch.ones(3, 3, 1), (42, 42), "fabricated")


def cells(similarity=SIMILARITY, target=TARGET, features=FEATURES, kind="features"):
    return kap.cells(similarity, features, target, kind)


def test_detections_worked_example():  # T4b
    """A 3x3 grid of 14-pixel cells, radius 8: the corner (14, 0) is near (10, 4), (28, 28) near (30, 30)."""
    found = kap.detections(cells(), VISIBLE, 8.0)
    assert found.positive == (True, False, True, False, False)
    assert found.scores == pytest.approx((0.5263, 1.0, 0.8421, 0.6316, 0.7368), abs=1e-4)
    assert kap.average_precision([found]) == pytest.approx(0.45)


def test_the_nearest_cell_counts_however_small_the_radius():
    found = kap.detections(cells(), VISIBLE, 1e-3)
    assert found.positive.count(True) == 2
    assert found.scores[0] == pytest.approx(0.5 / 0.95, abs=1e-6)


def test_a_radius_that_covers_all_cells_leaves_no_negative():
    found = kap.detections(cells(SIMILARITY[:1], TARGET[:1]), VISIBLE[:1], 1e3)
    assert found == kap.Detections((1.0,), (True,))


def test_no_keypoints():
    assert kap.detections(cells(SIMILARITY[:0], TARGET[:0]), VISIBLE[:0], 8.0) == kap.Detections((), ())


def test_cells_of_a_window_lie_in_the_window():
    features = FeatureMap(torch.ones(3, 3, 1), (200, 300), "fabricated", (100, 50, 42, 42))
    moved = cells(target=TARGET + torch.tensor([100.0, 50.0]), features=features)
    assert kap.detections(moved, VISIBLE, 8.0) == kap.detections(cells(), VISIBLE, 8.0)


def test_the_published_grid_has_square_cells_whatever_the_features_have():
    """A target 20 pixels from the only similar cell: near on both grids at radius 30, far at 10."""
    similarity = torch.zeros(1, 60, 60)
    similarity[0, 30, 30] = 1.0  # centred at (420, 210) of 840 x 420 pixels
    features = FeatureMap(torch.ones(60, 60, 1), (420, 840), "fabricated")
    target, visible = torch.tensor([[427.0, 233.0]]), torch.tensor([True])
    for kind in kap.GRIDS:
        looked_at = kap.cells(similarity, features, target, kind)
        best = [kap.detections(looked_at, visible, radius).scores for radius in (30.0, 10.0)]
        assert best[0][0] == pytest.approx(1.0)
        assert best[1][0] < best[1][1]
    assert len(kap.cells(similarity, features, target, "letterbox").corners) == 60 * 30
    with pytest.raises(ValueError, match="choose from features, letterbox"):
        kap.cells(similarity, features, target, "square")


def as_published(similarity, target, visible, radius):
    """The steps of the authors' algorithm as they describe them, on their 840-pixel canvas."""
    pixels = torch.stack(torch.meshgrid(torch.arange(840), torch.arange(840), indexing="xy"), -1)
    low, high = similarity.min(), similarity.max()
    normalized = ((similarity - low) / (high - low)).flatten(1)
    found = []
    for k, point in enumerate(target):
        squared = (pixels - point).square().sum(-1)
        squared = torch.nn.functional.interpolate(
            squared[None, None], size=(60, 60), mode="nearest"
        ).flatten()
        near = squared < radius**2
        near[squared.argmin()] = True
        if visible[k]:
            found += [(normalized[k][near].max(), True), (normalized[k][~near].max(), False)]
        else:
            found.append((normalized[k].max(), False))
    return found


@pytest.mark.parametrize("kind", kap.GRIDS)
@pytest.mark.parametrize("radius", [4.0, 60.0])
def test_the_algorithm_as_published(kind, radius):
    generator = torch.Generator().manual_seed(0)
    similarity = torch.rand(6, 60, 60, generator=generator)
    target = 839 * torch.rand(6, 2, generator=generator)
    visible = torch.tensor([True, True, False, True, True, False])
    features = FeatureMap(torch.ones(60, 60, 1), (840, 840), "fabricated")
    found = kap.detections(kap.cells(similarity, features, target, kind), visible, radius)
    wanted = as_published(similarity, target, visible, radius)
    assert found.positive == tuple(positive for _, positive in wanted)
    assert found.scores == pytest.approx([float(score) for score, _ in wanted], abs=1e-5)


def ramp(cells=(30, 40)):
    """Similarity that grows with the column of the cell, from 0 to 1 over the grid."""
    h, w = cells
    return ((torch.arange(w) + 0.5) / w).expand(1, h, w)


def on_canvas(size, window=None):
    features = FeatureMap(torch.ones(30, 40, 1), size, "fabricated", window)
    return kap.cells(ramp(), features, torch.zeros(1, 2), "letterbox")


def test_similarity_keeps_its_place_on_the_published_grid():
    found = on_canvas((375, 500))
    rows = (found.corners[:, 1] / 14).long().unique().tolist()
    assert rows == list(range(7, 52)), "105 of 840 pixels are padding on either side: 7.5 cells"
    x = (found.corners[:, 0] + 7) / 840
    inner = (x > 0.05) & (x < 0.95)
    torch.testing.assert_close(found.similarity[0][inner], x[inner], atol=1e-5, rtol=0)
    torch.testing.assert_close(found.target, torch.tensor([[0.0, 105.0]]))
    assert found.per_pixel == 1.68


def test_only_cells_of_the_published_grid_within_the_window_are_shown():
    places = on_canvas((840, 840), (140, 280, 400, 300)).corners + 7
    assert places.amin(0).tolist() == [147.0, 287.0]
    assert places.amax(0).tolist() == [539.0, 567.0]


def test_a_cell_at_exactly_the_radius_is_far():
    """The corner (14, 0), whose similarity is the highest, lies 8 pixels left of the target."""
    similarity = torch.zeros(1, 3, 3)
    similarity[0, 0, 1] = 1.0
    looked_at, visible = cells(similarity, torch.tensor([[22.0, 0.0]])), torch.tensor([True])
    assert kap.detections(looked_at, visible, 8.0) == kap.Detections((0.0, 1.0), (True, False))
    assert kap.detections(looked_at, visible, 8.001) == kap.Detections((1.0, 0.0), (True, False))


@pytest.mark.parametrize(("radius", "scores"), [(9.0, (0.0, 1.0)), (11.0, (1.0, 0.0))])
def test_the_radius_is_scaled_to_the_published_canvas(radius, scores):
    """The canvas is twice as large as the image: 10 pixels from the corner (210, 210) are 20 there."""
    similarity = torch.zeros(1, 60, 60)
    similarity[0, 15, 15] = 1.0
    features = FeatureMap(torch.ones(60, 60, 1), (420, 420), "fabricated")
    looked_at = kap.cells(similarity, features, torch.tensor([[105.0 + 10.0, 105.0]]), "letterbox")
    assert looked_at.per_pixel == 2
    assert kap.detections(looked_at, torch.tensor([True]), radius).scores == pytest.approx(scores, abs=1e-5)


def test_cells_of_the_published_grid_go_row_by_row():
    """Of two nearest cells the first one counts."""
    corners = on_canvas((840, 840)).corners
    assert corners[[0, 1, 59, 60, 3599]].tolist() == [[0, 0], [14, 0], [826, 0], [0, 14], [826, 826]]


def test_a_perfect_ranking_is_exactly_one():
    """Whatever the number of keypoints: a sum of shares would end a little beside it."""
    for count in range(1, 30):
        scores = tuple(1 - 0.01 * i for i in range(2 * count))
        found = kap.Detections(scores, (True,) * count + (False,) * count)
        assert kap.average_precision([found]) == 1.0
