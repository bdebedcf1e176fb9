import math

import pytest
import torch

from semcorr_ros.methods.semalign3d.building import keypoint_depth
from semcorr_ros.methods.semalign3d.building.config import BuildConfig
from semcorr_ros.methods.semalign3d.building.keypoint_depth import keypoint_depths, usable_pixels


def _scene():
    """A slanted plane on the left half of the object, a nearer box on its right, background behind."""
    depth = torch.full((100, 200), 9.0)
    depth[20:80, 40:100] = 2.0 + 0.002 * torch.arange(60.0)
    depth[20:80, 100:160] = 1.5
    mask = torch.zeros(100, 200, dtype=torch.bool)
    mask[20:80, 40:160] = True
    return depth, mask


def _read(depth, mask, *pixels):
    return keypoint_depths(depth, usable_pixels(depth, mask), torch.tensor(pixels), BuildConfig())


def test_depth_on_a_smooth_surface_is_exact():
    depth, mask = _scene()
    assert torch.allclose(
        _read(depth, mask, [70.0, 50.0], [130.0, 50.0]), torch.tensor([2.06, 1.5]), atol=1e-3
    )


def test_at_a_step_the_nearer_surface_wins():
    depth, mask = _scene()
    assert torch.allclose(
        _read(depth, mask, [99.0, 50.0], [100.0, 50.0]), torch.tensor([1.5, 1.5]), atol=1e-3
    )
    assert _read(depth, mask, [92.0, 50.0])[0] > 2


def test_a_keypoint_on_the_border_of_the_mask_does_not_read_the_background():
    depth, mask = _scene()
    assert torch.allclose(
        _read(depth, mask, [161.0, 50.0], [130.0, 19.0]), torch.tensor([1.5, 1.5]), atol=1e-3
    )


def test_holes_are_bridged_and_far_keypoints_dropped():
    depth, mask = _scene()
    depth[48:53, 128:133] = torch.tensor([0.0, torch.nan, torch.inf, -1.0, 0.0])
    got = _read(depth, mask, [130.0, 50.0], [190.0, 50.0], [torch.nan, torch.nan])
    assert torch.allclose(got, torch.tensor([1.5, 0.0, 0.0]), atol=1e-3)


def test_no_usable_pixel_means_no_depth():
    depth, mask = _scene()
    assert not usable_pixels(torch.zeros_like(depth), mask).any()
    assert _read(torch.zeros_like(depth), mask, [70.0, 50.0])[0] == 0


def test_a_thin_object_survives_the_erosion():
    depth, mask = _scene()
    thin = torch.zeros_like(mask)
    thin[20:80, 60:62] = True
    assert usable_pixels(depth, thin).sum() == thin.sum()


def test_on_a_slanted_surface_beside_its_silhouette_depth_is_extrapolated():
    columns = torch.arange(200.0).repeat(100, 1)
    plane = 1 / (0.4 + 0.002 * (columns - 100))
    mask = columns < 120
    got = _read(torch.where(mask, plane, 9.0), mask, [119.0, 50.0], [60.0, 50.0])
    truth = 1 / (0.4 + 0.002 * torch.tensor([19.0, -40.0]))
    assert ((got - truth).abs() / truth < 1e-3).all()


@pytest.mark.parametrize("edge", ["left", "top", "right", "bottom"])
def test_an_object_of_one_pixel_at_the_border_of_the_image_is_read(edge):
    depth = torch.full((100, 200), 3.0)
    mask = torch.zeros(100, 200, dtype=torch.bool)
    where = {"left": (slice(None), 0), "top": (0,), "right": (slice(None), 199), "bottom": (99,)}[edge]
    mask[where] = True
    depth[where] = 1.5
    points = {"left": [0.0, 50.0], "top": [90.0, 0.0], "right": [199.0, 50.0], "bottom": [90.0, 99.0]}[edge]
    assert float(_read(depth, mask, points)) == pytest.approx(1.5, abs=1e-4)


def test_a_gap_of_exactly_a_step_is_no_edge():
    """Depths 1 and 1.25 beside each other, where the object's depth extends from 1 to 2 and a step is 1/4."""
    depth = torch.full((100, 200), 1.0)
    depth[:, 60:] = 1.25
    depth[:, 140:] = 2.0
    usable, point = torch.ones(100, 200, dtype=torch.bool), torch.tensor([[60.0, 50.0]])
    for step, one_surface in ((0.25, True), (0.2499, False)):
        read = keypoint_depths(depth, usable, point, BuildConfig(depth_edge=step, depth_window=0.02))
        assert (float(read) > 1.05) == one_surface


def test_a_fringe_of_something_nearer_is_dropped_and_half_a_keypoint_is_unknown():
    depth = torch.full((100, 200), 2.0)
    depth[:, 64] = 1.0
    usable = torch.ones(100, 200, dtype=torch.bool)
    points = torch.tensor([[60.0, 50.0], [torch.nan, 50.0]])
    read = keypoint_depths(depth, usable, points, BuildConfig(depth_window=0.02))
    assert read.tolist() == pytest.approx([2.0, 0.0], abs=1e-4)


def test_the_erosion_grows_with_the_image_and_needs_a_quarter_of_the_pixels():
    """A four hundredth of the image's longer side, rounded."""
    for side, width in ((560, 1), (1001, 3)):
        depth, mask = torch.ones(40, side), torch.zeros(40, side, dtype=torch.bool)
        mask[:, 100:300] = True
        assert usable_pixels(depth, mask).sum() == 40 * (200 - 2 * width)
    depth, mask = torch.ones(40, 400), torch.zeros(40, 400, dtype=torch.bool)
    for columns, left in ((3, 40), (2, 80)):
        mask[:] = False
        mask[:, 100 : 100 + columns] = True
        assert usable_pixels(depth, mask).sum() == left
    mask[:] = False
    mask[10:14, 100:104] = True
    assert usable_pixels(depth, mask).sum() == 4, "exactly a quarter"


def test_a_window_counts_what_the_image_shows_of_it_and_the_nearest_pixel_most():
    """Around the corners of an image: 3 of 5 rows and columns. A pixel one radius away counts e^-2."""
    depth = 1 + torch.arange(8.0 * 9).reshape(8, 9)
    corners = torch.tensor([[0, 0], [8, 0], [0, 7], [8, 7]])
    annotated = corners + torch.tensor([[-3.0, 0], [0, 0], [0, 0], [0, 0]])
    window = keypoint_depth._windows(depth, torch.ones(8, 9, dtype=torch.bool), corners, annotated, 2)
    assert (window.share > 0).sum(1).tolist() == [9] * 4
    assert torch.isfinite(window.depth).sum(1).tolist() == [9] * 4
    assert window.share.amax(1).tolist() == [1.0] * 4
    for row, (rows, columns) in enumerate(((slice(0, 3), slice(0, 3)), (slice(0, 3), slice(6, 9)))):
        finite = window.depth[row][torch.isfinite(window.depth[row])]
        assert sorted(finite.tolist()) == sorted(depth[rows, columns].flatten().tolist())
    expected = [math.exp(-2 * (dx**2 + dy**2) / 4) for dx in range(3) for dy in range(3)]
    found = window.share[0][window.share[0] > 0] * math.exp(-2 * 1.5**2)
    assert sorted(window.share[1][window.share[1] > 0].tolist()) == pytest.approx(sorted(expected))
    beside = [math.exp(-2 * ((dx + 3) ** 2 + dy**2) / 4) for dx in range(3) for dy in range(3)]
    assert sorted(found.tolist()) == pytest.approx(sorted(beside))


def test_a_keypoint_far_from_its_surface_has_the_depth_of_it():
    """Up to a twenty-fifth of the image away, eight radii of the window: all of its pixels are far."""
    depth = torch.full((1000, 1000), 1.5)
    depth[:, 900:] = 1.6
    usable = torch.arange(1000).expand(1000, 1000) >= 500
    points = torch.tensor([[x, 500.0] for x in (495.0, 480.0, 460.1, 459.9)])
    read = keypoint_depths(depth, usable, points, BuildConfig())
    assert read.tolist() == pytest.approx([1.5, 1.5, 1.5, 0.0], abs=1e-4)
