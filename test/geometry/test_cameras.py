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


def matrix(fx=600.0, fy=500.0, cx=319.5, cy=239.5):
    return torch.tensor([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])


@pytest.mark.parametrize(
    "usual",
    [
        matrix(fx=16.1, fy=16.1),  # 174 degrees
        matrix(fx=639e3, fy=639e3),
        matrix(fx=600, fy=151),
        matrix(fx=151, fy=600),
        matrix(cx=319.5 + 5990),
        matrix(cx=319.5 - 5990),
        matrix(cy=239.5 + 4990),
        matrix(cy=239.5 - 4990),
    ],
)
def test_the_last_cameras_that_are_believed(usual):
    camera = cameras.from_matrix(usual, (480, 640))
    assert camera.focal.tolist() == [usual[0, 0], usual[1, 1]]
    assert camera.principal_point.tolist() == [usual[0, 2], usual[1, 2]]
    assert camera.size == (480, 640)


@pytest.mark.parametrize(
    "unusual",
    [
        matrix(fx=15.9, fy=20.0),
        matrix(fx=20.0, fy=15.9),
        matrix(fx=641e3, fy=600e3),
        matrix(fx=600e3, fy=641e3),
        matrix(fx=600, fy=149),
        matrix(fx=149, fy=600),
        matrix(cx=319.5 + 6010),
        matrix(cx=319.5 - 6010),
        matrix(cy=239.5 + 5010),
        matrix(cy=239.5 - 5010),
        matrix(fx=0.0),
        matrix(fy=0.0),
        matrix(fy=-500.0),
        torch.eye(3),
        matrix().T,
    ],
)
def test_the_first_that_are_not(unusual):
    with pytest.raises(ValueError, match="K must be"):
        cameras.from_matrix(unusual, (480, 640))


def test_without_a_size_nothing_is_known_to_be_implausible():
    assert cameras.from_matrix(torch.eye(3), (0, 0)).focal.tolist() == [1.0, 1.0]


def test_behind_the_camera_is_as_far_away_as_can_be():
    camera = cameras.centered(100.0, (50, 80))
    assert camera.principal_point.tolist() == [39.5, 24.5]
    near = cameras.project(torch.tensor([[1e-6, 0.0, -1.0], [1e-6, 0.0, 1e-6]]), camera)
    torch.testing.assert_close(near, torch.tensor([[139.5, 24.5], [139.5, 24.5]]))
