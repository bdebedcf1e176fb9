from dataclasses import replace

import builders
import pytest
import torch
from beast_views import mean_keypoints

from semcorr_ros.artifacts import CategoryInfo
from semcorr_ros.geometry.rotations import super_fibonacci
from semcorr_ros.methods.semalign3d.building.gauge import canonical_gauge

NAMELESS = replace(builders.BEAST, keypoint_names=tuple("abcdefghijk"))


def _scene(info=builders.BEAST, azimuths=(0.3, 1.9, 3.1, 4.6, 5.5), mirror=True, turn=17):
    """A beast in some other frame and cameras around it; returns canonical_from_true and the gauge."""
    shape = mean_keypoints() - mean_keypoints().mean(0)
    rotation = super_fibonacci(64)[turn]
    cameras = torch.stack([builders.look_at(a, 0.4) for a in azimuths])
    gauge = canonical_gauge(shape @ rotation.T, cameras @ rotation.T, info, mirror)
    return gauge.rotation @ rotation, gauge


@pytest.mark.parametrize("turn", [0, 17, 40])
def test_symmetry_cameras_and_names_give_front_left_up(turn):
    found, gauge = _scene(turn=turn)
    assert torch.allclose(found, torch.eye(3), atol=0.05)
    assert gauge.mirror_plane
    assert gauge.front_from == "names"


def test_up_is_not_tilted_by_cameras_that_look_down_from_one_side():
    found, _ = _scene(azimuths=(0.2, 0.6, 1.0, 1.3, 0.4))
    assert found[2, 2] > 0.99


def test_without_names_the_front_faces_the_cameras():
    found, gauge = _scene(NAMELESS, azimuths=(0.3, -0.5, 0.1, 0.8))
    assert torch.allclose(found, torch.eye(3), atol=0.05)
    assert gauge.front_from == "cameras"
    behind, _ = _scene(NAMELESS, azimuths=(3.0, 3.5, 2.6))
    assert torch.allclose(behind, torch.diag(torch.tensor([-1.0, -1, 1])), atol=0.1)


def test_without_a_flip_table_up_still_comes_from_the_cameras():
    found, gauge = _scene(replace(builders.BEAST, flip=None), mirror=False)
    assert not gauge.mirror_plane
    assert found[2, 2] > 0.98
    assert torch.linalg.det(gauge.rotation) > 0.99


def test_a_flat_class_stands_and_faces_the_cameras_whatever_its_sides_are_called():
    info = CategoryInfo(
        "screen", ("right top", "left top", "left bottom", "right bottom"), (1, 0, 3, 2), flat=True
    )
    shape = torch.tensor([[0.0, 1, 0.6], [0, -1, 0.6], [0, -1, -0.6], [0, 1, -0.6]])
    rotation = super_fibonacci(64)[5]
    cameras = torch.stack([builders.look_at(a, 0.5) for a in (-0.4, 0.1, 0.5)])
    gauge = canonical_gauge(shape @ rotation.T, cameras @ rotation.T, info, mirror=True)
    assert torch.allclose(gauge.rotation @ rotation, torch.eye(3), atol=1e-3)


def test_a_flip_table_that_does_not_hold_is_no_mirror_plane():
    found, gauge = _scene(mirror=False)
    assert not gauge.mirror_plane
    assert found[2, 2] > 0.98
