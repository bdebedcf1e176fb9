import torch

from semcorr_ros.methods.semalign3d.building.dense_cloud import MergedCloud
from semcorr_ros.methods.semalign3d.building.prototypes import (
    keypoint_facing,
    keypoint_prototypes,
    surface_prototypes,
)


def _unit(*shape, seed=0):
    return torch.nn.functional.normalize(
        torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1
    )


def test_mean_and_spread_of_the_similarity():
    features, shown = _unit(20, 3, 8), torch.ones(20, 3, dtype=torch.bool)
    found = keypoint_prototypes(features, shown, 0.01)
    mean = torch.nn.functional.normalize(features[:, 1].mean(0), dim=0)
    similarity = features[:, 1] @ mean
    assert torch.allclose(found.features[1], mean)
    assert torch.allclose(found.similarity_mean[1], similarity.mean())
    assert torch.allclose(found.similarity_std[1], similarity.std())


def test_single_and_missing_samples_never_give_nan_and_the_floor_holds():
    features = _unit(1, 4, 8).repeat(5, 1, 1)
    shown = torch.tensor([[True, True, False, True]]) & torch.tensor([[1, 0, 0, 1]] * 5).bool()
    shown[0, 1] = True
    found = keypoint_prototypes(features, shown, 0.03)
    for values in (found.features, found.similarity_mean, found.similarity_std):
        assert torch.isfinite(values).all()
    assert (found.similarity_std >= 0.03 - 1e-6).all()
    assert (found.features[2] == 0).all()


def test_surface_prototypes_come_from_the_nearest_points():
    points = torch.cat([torch.randn(60, 3), torch.randn(60, 3) + 100])
    features = torch.cat([_unit(1, 8).repeat(60, 1), _unit(1, 8, seed=5).repeat(60, 1)])
    merged = MergedCloud(points, features.half()[:, None], torch.zeros_like(points), torch.zeros(120))
    found = surface_prototypes(torch.tensor([[0.0, 0, 0], [100, 100, 100]]), merged, 30, 0.02)
    assert torch.allclose(found.features, features[[0, 60]], atol=1e-2)
    assert torch.allclose(found.similarity_std, torch.tensor([0.02, 0.02]))
    assert surface_prototypes(torch.zeros(1, 3), merged, 500, 0.02).features.shape == (1, 8)


def test_surface_prototypes_of_coarse_copies():
    points = torch.randn(60, 3)
    fine, coarse = _unit(1, 8).repeat(60, 1), _unit(1, 8, seed=5).repeat(60, 1)
    features = torch.stack([fine, coarse], 1).half()
    merged = MergedCloud(points, features, torch.zeros_like(points), torch.zeros(60))
    for look, expected in enumerate((fine, coarse)):
        found = surface_prototypes(torch.zeros(1, 3), merged, 30, 0.02, look)
        assert torch.allclose(found.features, expected[:1], atol=1e-2)


def test_facing_points_at_the_cameras_that_saw_the_keypoint():
    points = torch.tensor([[[0.0, 0, 2], [0, 0, 3]], [[0, 0, 1], [0, 0, 0]]])
    shown = torch.tensor([[True, True], [True, False]])
    facing = keypoint_facing(points, torch.eye(3).repeat(2, 1, 1), shown)
    assert torch.allclose(facing, torch.tensor([[0.0, 0, -1], [0, 0, -1]]))
