import builders
import pytest
import torch
from beast_views import mean_keypoints, shape_error, views_of

from semcorr_ros.methods.semalign3d.artifacts import Views
from semcorr_ros.methods.semalign3d.building.pairwise import log_distances
from semcorr_ros.methods.semalign3d.building.procrustes import mean_shape


def _rigid_views(visible):
    pictures = builders.pictures(len(visible), seed=5, variation=0.0)
    views = views_of(pictures, everything=True)
    return Views(torch.where(visible[..., None], views.points, 0.0), visible, views.mirrored, views.names)


def _visible(*groups):
    visible = torch.zeros(len(groups), 11, dtype=torch.bool)
    for row, group in enumerate(groups):
        visible[row, list(group)] = True
    return visible


def test_occluded_rigid_views_give_the_exact_shape_with_the_right_handedness():
    views = views_of(builders.pictures(20, seed=0, variation=0.0))
    shape, placed, residual = mean_shape(views, log_distances(views))
    assert placed.all()
    assert residual < 1e-3
    # A mirrored shape would not fit by a proper similarity.
    assert shape_error(shape, mean_keypoints()) < 1e-3
    assert abs(float(shape.square().sum(-1).mean()) - 1) < 1e-4


def test_views_in_a_chain_are_placed_one_after_another():
    views = _rigid_views(_visible((0, 1, 2, 3), (1, 2, 3, 4, 5), (3, 4, 5, 6, 7), (5, 6, 7, 8, 9, 10)))
    shape, placed, _ = mean_shape(views, log_distances(views))
    assert placed.all()
    assert shape_error(shape, mean_keypoints()) < 0.01


def test_keypoints_without_connection_are_left_out_without_nan():
    views = _rigid_views(_visible((0, 1, 2, 3, 4), (0, 1, 2, 3), (7, 8, 9), (7, 8, 9, 10)))
    shape, placed, _ = mean_shape(views, log_distances(views))
    assert placed.tolist() == [True] * 5 + [False] * 6
    assert torch.isfinite(shape).all()
    assert (shape[~placed] == 0).all()
    assert shape_error(shape[placed], mean_keypoints()[placed]) < 0.01


def test_one_wrong_view_is_outvoted():
    views = views_of(builders.pictures(20, seed=0, variation=0.0))
    points = views.points.clone()
    points[3] = points[3][torch.randperm(11, generator=torch.Generator().manual_seed(0))]
    broken = Views(points, views.visible, views.mirrored, views.names)
    shape, _, _ = mean_shape(broken, log_distances(broken))
    assert shape_error(shape, mean_keypoints()) < 0.03


@pytest.mark.parametrize("seed", range(2))
def test_the_wrong_handedness_never_wins(seed):
    # Started from its mirror image, a shape may collapse to a line to which nothing can be aligned.
    generator = torch.Generator().manual_seed(seed)
    shape = torch.randn(9, 3, generator=generator) * torch.tensor([1.8, 1.0, 0.9])
    points = shape + 0.1 * torch.randn(12, 9, 3, generator=generator)
    visible = torch.ones(12, 9, dtype=torch.bool)
    views = Views(points, visible, torch.zeros(12, dtype=torch.bool), tuple("abcdefghijkl"))
    found, placed, residual = mean_shape(views, log_distances(views))
    assert placed.all()
    assert 0.02 < residual < 0.2
    assert shape_error(found, shape) < 0.1
