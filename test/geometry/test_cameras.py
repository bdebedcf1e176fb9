"""Projection: known numbers, round trip, mirroring, exceptions."""

import pytest
import torch

from semcorr_ros.geometry import cameras

K = torch.tensor([[600.0, 0.0, 319.5], [0.0, 500.0, 239.5], [0.0, 0.0, 1.0]])


def test_known_numbers():
    camera = cameras.from_matrix(K, (480, 640))
    pixel = cameras.project(torch.tensor([0.1, -0.2, 2.0]), camera)
    torch.testing.assert_close(pixel, torch.tensor([600 * 0.05 + 319.5, -500 * 0.1 + 239.5]))


def test_round_trip():
    camera = cameras.from_matrix(K, (480, 640))
    points = torch.rand(4, 7, 3, generator=torch.Generator().manual_seed(0)) + torch.tensor([0.0, 0.0, 0.5])
    back = cameras.unproject(cameras.project(points, camera), points[..., 2], camera)
    torch.testing.assert_close(back, points)


def test_mirrored_camera_sees_the_mirrored_scene():
    camera = cameras.from_matrix(K - torch.tensor([[0.0, 0.0, 20.0], [0.0] * 3, [0.0] * 3]), (480, 640))
    point = torch.tensor([0.3, 0.1, 1.5])
    x, y = cameras.project(point, camera)
    mirrored = cameras.project(point * torch.tensor([-1.0, 1.0, 1.0]), cameras.mirrored(camera))
    torch.testing.assert_close(mirrored, torch.stack([639 - x, y]))


@pytest.mark.parametrize("bad", [torch.eye(2), torch.diag(torch.tensor([-1.0, 1.0, 1.0])), K * torch.nan])
@pytest.mark.usefixtures("wrong_shapes")
def test_bad_matrix_is_named(bad):
    with pytest.raises(ValueError, match="K must be"):
        cameras.from_matrix(bad, (480, 640))


def test_projection_gradcheck():
    camera = cameras.from_matrix(K, (480, 640))
    points = torch.tensor([[0.1, 0.2, 1.0]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda p: cameras.project(p, camera), (points,))
