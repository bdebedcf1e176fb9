"""Cameras: axes, framing, and the frame the project writes its cameras in."""

import numpy as np
import pytest
import torch

from semcorr_lab.synthetic.viewpoint import Viewpoint, camera_axes, frame_object, sample_viewpoint
from semcorr_ros.geometry import cameras

BOX = np.array([[x, y, z] for x in (-1, 1) for y in (-0.5, 0.5) for z in (0, 0.8)], float)


def pixels(points, camera, pose):
    in_camera = torch.from_numpy(points @ pose[:3, :3].T + pose[:3, 3])
    return cameras.project(in_camera, camera).numpy(), in_camera[:, 2].numpy()


def test_azimuth_zero_sees_the_front_with_the_objects_left_at_the_right():
    camera, pose = frame_object(BOX, Viewpoint(0, 0), (480, 640))
    (front, left, up, rear), depth = pixels(
        np.array([[1, 0, 0.4], [0, 0.5, 0.4], [0, 0, 0.8], [-1, 0, 0.4]]), camera, pose
    )
    assert depth[0] < depth[3]
    assert left[0] > front[0]
    assert up[1] < front[1]
    assert rear is not None


@pytest.mark.parametrize("azimuth", [-120.0, 0.0, 90.0])
def test_angles_come_back(azimuth):
    pose = np.eye(4)
    pose[:3, :3] = camera_axes(azimuth, 35.0, 8.0)
    np.testing.assert_allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-12)
    assert np.linalg.det(pose[:3, :3]) == pytest.approx(1)
    x, y, z = -pose[2, :3]  # from the object to the camera
    assert np.degrees([np.arctan2(y, x), np.arcsin(z)]) == pytest.approx((azimuth, 35.0))


def test_positive_roll_turns_the_camera_clockwise():
    # The camera's right goes down a little, so that the picture turns counterclockwise.
    right = camera_axes(0, 0, 10)[0]
    assert right[2] < 0


@pytest.mark.parametrize("fov", [30.0, 75.0])
@pytest.mark.parametrize("center", [(0.5, 0.5), (0.4, 0.7)])
def test_framing_gives_fill_and_center(fov, center):
    size = (300, 400)
    camera, pose = frame_object(BOX, Viewpoint(40, 20, 5, fov, 0.6, center), size)
    projected, depth = pixels(BOX, camera, pose)
    low, high = projected.min(0), projected.max(0)
    assert depth.min() > 0
    assert ((high - low) / [400, 300]).max() == pytest.approx(0.6, abs=0.01)
    np.testing.assert_allclose(
        (low + high) / 2 - [199.5, 149.5], (np.array(center) - 0.5) * [400, 300], atol=1
    )
    assert camera.principal_point.tolist() == [199.5, 149.5]
    assert 2 * np.degrees(np.arctan(200 / camera.focal[0].item())) == pytest.approx(fov, abs=1e-3)


def test_sampled_viewpoints_go_all_round_within_the_limits():
    rng = np.random.default_rng(0)
    views = [sample_viewpoint(rng, flat=False, truncation=True) for _ in range(400)]
    bins = {round(view.azimuth_deg / 45) % 8 for view in views}
    assert bins == set(range(8))
    elevations = [view.elevation_deg for view in views]
    assert min(elevations) >= -10
    assert max(elevations) <= 60
    assert np.ptp(elevations) > 60
    fovs = [view.horizontal_fov_deg for view in views]
    assert np.ptp(fovs) > 35
    flat = [sample_viewpoint(rng, flat=True, truncation=False).azimuth_deg for _ in range(50)]
    assert max(map(abs, flat)) < 90
