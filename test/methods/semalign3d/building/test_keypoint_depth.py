import torch

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
