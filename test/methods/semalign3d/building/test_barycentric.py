import builders
import torch
from beast_views import mean_keypoints

from semcorr_ros.methods.semalign3d.building.barycentric import (
    affine_weights,
    hull_distance,
    sparse_affine_weights,
)
from semcorr_ros.methods.semalign3d.building.procrustes import normalize_shape

TETRAHEDRON = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])


def test_in_a_tetrahedron_the_weights_are_its_barycentric_coordinates():
    inside = torch.tensor([[0.2, 0.3, 0.1], [0.25, 0.25, 0.25]])
    weights = affine_weights(inside, TETRAHEDRON.expand(2, -1, -1), ridge=1e-7)
    expected = torch.cat([1 - inside.sum(-1, keepdim=True), inside], -1)
    assert torch.allclose(weights, expected, atol=1e-4)


def test_rows_sum_to_one_reproduce_the_point_and_are_few():
    shape = normalize_shape(mean_keypoints(), torch.ones(11, dtype=torch.bool))
    surface = shape.repeat(20, 1) + 0.25 * torch.randn(220, 3, generator=torch.Generator().manual_seed(0))
    weights = sparse_affine_weights(surface, shape, 8)
    assert torch.allclose(weights.sum(-1), torch.ones(220), atol=1e-5)
    assert ((weights != 0).sum(-1) <= 8).all()
    assert (weights @ shape - surface).norm(dim=-1).mean() < 0.01
    assert weights.abs().sum(-1).median() < 2


def test_moving_the_keypoints_moves_the_points_along():
    shape = mean_keypoints()
    weights = affine_weights(shape[:3] + 0.1, shape.expand(3, -1, -1))
    turn = builders.look_at(0.4, 0.3)
    assert torch.allclose(weights @ (shape @ turn.T + 2), (weights @ shape) @ turn.T + 2, atol=1e-4)


def test_at_a_keypoint_its_weight_is_one():
    weights = affine_weights(TETRAHEDRON[1:2], TETRAHEDRON[None])
    assert torch.allclose(weights, torch.tensor([[0.0, 1, 0, 0]]), atol=1e-3)


def test_nearly_coplanar_keypoints_do_not_give_huge_weights():
    flat = torch.rand(6, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 1, 1e-3])
    weights = affine_weights(torch.tensor([[0.5, 0.5, 0.3]]), flat[None])
    assert torch.isfinite(weights).all()
    assert weights.abs().sum() < 3


def test_hull_distance_is_zero_inside_and_right_outside():
    cube = torch.tensor([[x, y, z] for x in (-1.0, 1) for y in (-1.0, 1) for z in (-1.0, 1)])
    points = torch.tensor([[0.0, 0, 0], [0.9, 0.9, 0.9], [1.5, 0, 0], [3, 3, 1]])
    expected = torch.tensor([0.0, 0, 0.5, 8**0.5])
    assert torch.allclose(hull_distance(points, cube), expected, atol=0.12)
    square = cube[::2]
    assert torch.allclose(
        hull_distance(torch.tensor([[0.0, 0, 0.5]]), square), torch.tensor([1.5]), atol=0.12
    )
