import builders
import pytest
import torch
from beast_views import mean_keypoints

from semcorr_ros.methods.semalign3d.building.config import BuildConfig
from semcorr_ros.methods.semalign3d.building.dense_cloud import (
    MergedCloud,
    carry_surface,
    cluster_surface,
    express_by_keypoints,
)


def test_an_affine_deformation_of_the_whole_shape_is_undone_exactly():
    anchors, targets = mean_keypoints() * torch.tensor([1.2, 0.9, 1.0]), mean_keypoints()
    points = torch.rand(200, 3, generator=torch.Generator().manual_seed(0)) - 0.5
    carried, inside = carry_surface(points * torch.tensor([1.2, 0.9, 1.0]), anchors, targets, 0.2)
    assert inside.float().mean() > 0.5
    assert (carried - points[inside]).norm(dim=-1).max() < 0.03


def test_points_outside_the_hull_are_dropped_not_moved_to_the_origin():
    shape = mean_keypoints()
    points = torch.cat([torch.zeros(5, 3), torch.full((7, 3), 3.0)])
    carried, inside = carry_surface(points, shape, shape, 0.3)
    assert inside.tolist() == [True] * 5 + [False] * 7
    assert len(carried) == 5


def test_coplanar_keypoints_carry_by_the_similarity_and_collinear_ones_nothing():
    plane = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]])
    points = torch.tensor([[0.5, 0.5, 0.1], [0.2, 0.7, -0.1]])
    carried, _ = carry_surface(points, plane, plane + 0.01, 0.3)
    assert torch.allclose(carried, points + 0.01, atol=1e-3)
    line = torch.tensor([[0.0, 0, 0], [1, 0, 0], [2, 0, 0]])
    assert len(carry_surface(points, line, line, 9.0)[0]) == 0


def test_sparse_clusters_and_clusters_of_one_view_are_dropped():
    generator = torch.Generator().manual_seed(0)
    solid = 0.1 * torch.randn(4000, 3, generator=generator)
    lone = torch.tensor([50.0, 0, 0]) + 0.1 * torch.randn(400, 3, generator=generator)
    stray = torch.tensor([0.0, 50, 0]) + 0.1 * torch.randn(3, 3, generator=generator)
    points = torch.cat([solid, lone, stray])
    view = torch.cat([torch.arange(4000) % 8, torch.zeros(400), torch.arange(3)]).float()
    merged = MergedCloud(points, torch.zeros(len(points), 1, 2).half(), torch.zeros_like(points), view)
    centers, weight = cluster_surface(merged, BuildConfig(dense_points=60), generator)
    assert centers.norm(dim=-1).max() < 2
    assert len(weight) == len(centers) > 20
    assert 0.8 < weight.sum() < 1


def test_unplaced_keypoints_have_no_weight():
    placed = torch.ones(11, dtype=torch.bool)
    placed[[2, 6]] = False
    keypoints = torch.where(placed[:, None], mean_keypoints(), 0.0)
    centers = builders.mean_beast().centers
    weights = express_by_keypoints(centers, keypoints, placed)
    assert (weights[:, ~placed] == 0).all()
    assert torch.allclose(weights.sum(-1), torch.ones(len(centers)), atol=1e-5)


@pytest.mark.parametrize(("views", "kept"), [(5, True), (6, False)])
def test_a_cluster_of_one_view_is_kept_where_hardly_any_other_could_confirm_it(views, kept):
    solid = torch.rand(40 * views, 3, generator=torch.Generator().manual_seed(0))
    lone = torch.tensor([50.0, 0, 0]) + 0.1 * solid[:40]
    points = torch.cat([solid, lone])
    view = torch.cat([torch.arange(len(solid)) % views, torch.zeros(40)]).float()
    merged = MergedCloud(points, torch.zeros(len(points), 1, 2).half(), torch.zeros_like(points), view)
    centers, share = cluster_surface(merged, BuildConfig(dense_points=4), torch.Generator().manual_seed(0))
    assert bool((centers[:, 0] > 40).any()) == kept
    assert (float(share.sum()) > 0.99) == kept


def test_a_cluster_with_exactly_the_least_share_is_kept():
    """Two clusters of 1 and 7 points: the mean is 4, a quarter of it 1."""
    points = torch.tensor([[0.0, 0, 0]] * 7 + [[9.0, 0, 0]])
    view = torch.arange(8) % 2
    merged = MergedCloud(points, torch.zeros(8, 1, 2).half(), torch.zeros_like(points), view.float())
    for threshold, count in ((0.25, 2), (0.26, 1)):
        config = BuildConfig(dense_points=8, density_threshold=threshold)
        centers, share = cluster_surface(merged, config, torch.Generator().manual_seed(0))
        assert len(centers) == count
        assert share.sum() == pytest.approx(1 if count == 2 else 7 / 8)
