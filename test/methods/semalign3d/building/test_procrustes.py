import builders
import pytest
import torch
from beast_views import mean_keypoints, shape_error, views_of

from semcorr_ros.methods.semalign3d.artifacts import Views
from semcorr_ros.methods.semalign3d.building.pairwise import LogDistances
from semcorr_ros.methods.semalign3d.building.procrustes import (
    _scaling_starts,
    align_views,
    generalized_procrustes,
    normalize_shape,
)

ALL = torch.ones(11, dtype=torch.bool)


def test_views_are_moved_onto_the_target_exactly():
    pictures = builders.pictures(6, seed=0, variation=0.0)
    views = views_of(pictures)
    target = mean_keypoints()
    aligned = align_views(views.points, views.visible.float(), target)
    assert torch.allclose(aligned.points[views.visible], target.expand(6, -1, -1)[views.visible], atol=1e-3)
    truth = torch.stack([picture.rotation.T for picture in pictures])
    assert torch.allclose(aligned.rotation[aligned.usable], truth[aligned.usable], atol=1e-2)


def test_noise_does_not_shrink_the_scale():
    target = mean_keypoints().expand(200, -1, -1)
    noisy = 3 * (target + 0.1 * torch.randn(200, 11, 3, generator=torch.Generator().manual_seed(0)))
    aligned = align_views(noisy, torch.ones(200, 11), target)
    inflation = (1 + 0.03 / float(target[0].var(0, correction=0).sum())) ** 0.5
    assert float(1 / aligned.scale.mean()) == pytest.approx(3 * inflation, rel=0.01)


def test_lines_and_pairs_do_not_fix_a_similarity():
    views = views_of(builders.pictures(1, seed=0), everything=True)
    line = torch.tensor([[float(i), 0, 0] for i in range(11)])
    assert not align_views(views.points, views.visible.float(), line).usable.any()
    assert not align_views(
        views.points, torch.eye(11)[:1] + torch.eye(11)[1:2], mean_keypoints()
    ).usable.any()


def test_a_start_that_collapsed_to_a_line_has_a_large_residual():
    # No view aligns to it. It must not look perfect for lack of residuals.
    views = views_of(builders.pictures(10, seed=0))
    line = torch.tensor([[float(i), 0, 0] for i in range(11)])
    assert generalized_procrustes(views, line, ALL)[2] > 0.5
    assert generalized_procrustes(views, mean_keypoints(), ALL)[2] < 0.15


def test_the_mean_of_complete_instances_is_found_from_any_of_them():
    views = views_of(builders.pictures(30, seed=1), everything=True)
    shape, placed, _ = generalized_procrustes(views, views.points[3], ALL)
    assert placed.all()
    assert shape_error(shape, mean_keypoints()) < 0.03


def test_normalized_shapes_are_centered_with_unit_radius_and_zero_where_unplaced():
    placed = ALL.clone()
    placed[4] = False
    shape = normalize_shape(7 * mean_keypoints() + 5, placed)
    assert shape[placed].mean(0).norm() < 1e-5
    assert float(shape[placed].square().sum(-1).mean()) == pytest.approx(1, abs=1e-5)
    assert (shape[4] == 0).all()


def test_classical_scaling_gives_the_shape_of_exact_distances():
    points = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    distances = torch.cdist(points, points)
    logs = LogDistances(distances.clamp_min(1e-9).log(), torch.zeros(6, 6), torch.ones(6, 6) - torch.eye(6))
    views = Views(points[None], torch.ones(1, 6, dtype=torch.bool), torch.zeros(1, dtype=torch.bool), ("a",))
    (first, placed), (second, _) = _scaling_starts(logs, views)
    assert placed.all()
    torch.testing.assert_close(torch.cdist(first, first), distances, atol=1e-3, rtol=0)
    torch.testing.assert_close(second, first * torch.tensor([-1.0, 1.0, 1.0]))
