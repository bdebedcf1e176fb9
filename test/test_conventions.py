"""CONVENTIONS.md, line by line, where no other test pins it."""

import math

import torch

from semcorr_ros.evaluation.pck import box_size, correct
from semcorr_ros.geometry import cameras, grid, rotations
from semcorr_ros.geometry.similarity import apply_similarity
from semcorr_ros.methods.semalign3d.alignment.state import ImageFrame

CAMERA = cameras.centered(500.0, (480, 640))


def test_camera_frame_is_optical_x_right_y_down_z_forward():
    right, down = cameras.project(torch.tensor([[0.1, 0.0, 1.0], [0.0, 0.1, 1.0]]), CAMERA)
    assert right[0] > CAMERA.principal_point[0]
    assert down[1] > CAMERA.principal_point[1]


def test_pixel_zero_is_the_centre_of_the_first_pixel():
    """So the image centre of W pixels is at (W - 1) / 2."""
    assert CAMERA.principal_point.tolist() == [319.5, 239.5]


def test_points_are_x_y_and_sizes_h_w():
    assert CAMERA.size == (480, 640)
    assert grid.cell_centers((3, 5), (30, 100))[2, 4].tolist() == [90.0, 25.0]


def test_feature_cell_centre():
    """x = (c + .5) / w * W."""
    expected = torch.tensor([0.5 / 60 * 640, 0.5 / 60 * 480])
    torch.testing.assert_close(grid.cell_centers((60, 60), (480, 640))[0, 0], expected)


def test_normalized_coordinates_divide_by_the_longer_side():
    frame = ImageFrame(torch.tensor([319.5, 239.5]), torch.tensor([640.0, 640.0]))
    torch.testing.assert_close(frame.normalize(torch.tensor([639.5, 239.5])), torch.tensor([0.5, 0.0]))


def test_similarity_applies_scale_then_rotation_then_translation():
    turn = rotations.from_quaternion(torch.tensor([0.0, 0.0, math.sqrt(0.5), math.sqrt(0.5)]))
    moved = apply_similarity(
        torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor(2.0), turn, torch.tensor([0.0, 0.0, 5.0])
    )
    torch.testing.assert_close(moved, torch.tensor([[0.0, 2.0, 5.0]]), atol=1e-6, rtol=0)


def test_pck_is_strict_and_uses_the_longer_side_of_the_box():
    truth = torch.tensor([[0.0, 0.0], [0.0, 0.0]])
    found = torch.tensor([[10.0, 0.0], [9.99, 0.0]])
    radius = 0.1 * box_size((0.0, 0.0, 100.0, 40.0))
    assert correct(found, truth, radius).tolist() == [False, True]
