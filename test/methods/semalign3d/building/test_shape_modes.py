import builders
import pytest
import torch
from beast_views import shape_error, views_of

from semcorr_ros.methods.semalign3d.building.lift_views import add_mirrored
from semcorr_ros.methods.semalign3d.building.pairwise import log_distances
from semcorr_ros.methods.semalign3d.building.procrustes import generalized_procrustes, mean_shape
from semcorr_ros.methods.semalign3d.building.shape_modes import _maximize, shape_model


def _start(views):
    return mean_shape(views, log_distances(views))[0]


@pytest.mark.parametrize(("variation", "tolerance"), [(0.1, 0.015), (0.2, 0.035)])
def test_the_mean_shape_of_occluded_views_is_that_of_the_complete_instances(variation, tolerance):
    errors = []
    for seed in range(3):
        pictures = builders.pictures(30, seed, variation)
        views = add_mirrored(views_of(pictures), builders.FLIP)
        whole = add_mirrored(views_of(pictures, everything=True), builders.FLIP)
        truth, _, _ = generalized_procrustes(whole, whole.points[0], whole.visible[0])
        errors.append(shape_error(shape_model(views, _start(views), 6).mean, truth))
    assert sum(errors) / len(errors) < tolerance


def test_modes_of_occluded_views_are_those_of_the_complete_instances():
    pictures = builders.pictures(40, 0, 0.2)
    views = add_mirrored(views_of(pictures), builders.FLIP)
    whole = add_mirrored(views_of(pictures, everything=True), builders.FLIP)
    found, truth = (shape_model(v, _start(v), 3) for v in (views, whole))
    ratio = found.modes[0].norm() / truth.modes[0].norm()
    assert 0.6 < ratio < 1.4
    turned = found.mean.T @ truth.mean  # the two means may be rotated against each other
    u, _, vt = torch.linalg.svd(turned)
    cosine = (
        ((found.modes[0] @ u @ vt) * truth.modes[0]).sum() / found.modes[0].norm() / truth.modes[0].norm()
    )
    assert cosine.abs() > 0.8


def test_modes_hold_no_rigid_motion_and_rigid_views_have_none():
    views = views_of(builders.pictures(20, 1, 0.1))
    model = shape_model(views, _start(views), 4)
    for mode in model.modes:
        assert mode.sum(0).norm() < 1e-3
        assert torch.linalg.cross(model.mean, mode, dim=-1).sum(0).norm() < 0.02
    rigid = views_of(builders.pictures(20, 1, 0.0))
    assert shape_model(rigid, _start(rigid), 4).modes.norm() < 0.02


def test_few_images_have_few_modes():
    views = views_of(builders.pictures(5, 0, 0.1))
    start = views.points[int(views.visible.sum(1).argmax())]
    assert len(shape_model(views, start, 6).modes) <= 1


def test_the_noise_is_what_is_left_over_the_numbers_that_were_not_fitted():
    """Of 3 K V coordinates, 7 per view fix its similarity and one per mode its shape."""
    draws = torch.Generator().manual_seed(0)
    views, keypoints = 6, 20
    points = torch.randn(views, keypoints, 3, generator=draws)
    state = torch.randn(views, 1, generator=draws)
    mean, modes, noise = _maximize(points, torch.ones(views, keypoints), state, state[..., None] ** 2)
    left = points - mean - torch.einsum("vm,mkc->vkc", state, modes)
    freedom = 3 * views * keypoints - 7 * views - views
    assert noise == pytest.approx(float((left.square().sum() / freedom).sqrt()), rel=1e-4)
