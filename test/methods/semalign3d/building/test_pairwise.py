import builders
import torch
from beast_views import mean_keypoints, views_of

from semcorr_ros.methods.semalign3d.building.pairwise import log_distances, signed_volumes


def test_log_distances_are_those_of_the_shape_whatever_the_units_of_the_views():
    views = views_of(builders.pictures(20, seed=0, variation=0.0))
    distances = log_distances(views)
    truth = torch.cdist(mean_keypoints(), mean_keypoints()).log()
    offset = (distances.mean - truth)[distances.count > 0]
    assert offset.std() < 1e-3
    assert distances.spread.max() < 1e-3


def test_one_wrong_view_does_not_move_the_mean():
    views = views_of(builders.pictures(20, seed=0, variation=0.0))
    points = views.points.clone()
    points[0, :3] *= 4
    views = type(views)(points, views.visible, views.mirrored, views.names)
    distances = log_distances(views)
    truth = torch.cdist(mean_keypoints(), mean_keypoints()).log()
    offset = (distances.mean - truth)[distances.count > 3]
    assert offset.std() < 0.03


def test_signed_volumes_change_sign_with_handedness():
    views = views_of(builders.pictures(10, seed=0, variation=0.0))
    subsets = torch.combinations(torch.arange(11), 4)
    mean, spread, count = signed_volumes(views, subsets)
    mirrored = type(views)(
        views.points * torch.tensor([-1.0, 1, 1]), views.visible, views.mirrored, views.names
    )
    assert torch.allclose(signed_volumes(mirrored, subsets)[0], -mean, atol=1e-6)
    assert spread.max() < 1e-3
    assert count.max() > 3
