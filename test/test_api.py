"""The five lines of the README, and what they say to wrong input."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pear_camera
import pytest
from methods.semalign3d.alignment import fabricated

import semcorr_ros
from semcorr_ros.methods.semalign3d.class_file import write_class

pytestmark = pytest.mark.usefixtures("fabricated_backbone")
K = np.array([[140.8, 0, 63.5], [0, 140.8, 47.5], [0, 0, 1]])


@pytest.fixture(scope="module")
def shot():
    return pear_camera.shoot(fabricated.make_class(), 70)


@pytest.fixture
def pear(tmp_path):
    write_class(tmp_path / "pear.safetensors", fabricated.make_class())
    return semcorr_ros.load(tmp_path / "pear.safetensors", device="cpu")


def test_a_class_is_found_in_an_array_and_drawn(pear, shot):
    answer = pear.find(shot.image, depth=shot.depth, K=K)
    assert answer.found
    assert np.nanmedian(np.linalg.norm(answer.xyz.numpy() - shot.keypoints, axis=1)) < 0.01
    assert set(pear.keypoints) <= set(answer.names)
    picture = semcorr_ros.draw(answer)
    assert picture.dtype == np.uint8
    assert picture.shape[2] == 3
    plain = pear.find(shot.image)
    assert plain.found
    assert np.isnan(plain.xyz.numpy()).all()
    back = pear.transfer(answer, shot.pixels[:2], plain)
    assert back.names == ("point_0", "point_1")


def test_a_box_or_a_mask_says_where(pear, shot):
    mask = shot.depth > 0
    assert pear.find(shot.image, mask=mask).found
    rows, columns = np.nonzero(mask)
    box = (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)
    assert pear.find(shot.image, box=tuple(int(value) for value in box)).found


@pytest.mark.usefixtures("wrong_shapes")
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"image": np.zeros((8, 8, 3))}, "image must be uint8 RGB"),
        ({"depth": np.zeros((96, 128), np.uint16)}, "float metres .* divide millimetres by 1000"),
        ({"depth": np.zeros((9, 9), np.float32)}, "depth must be float metres"),
        ({"K": np.eye(2)}, "K must be a finite 3x3 matrix"),
        ({"box": (100, 10, 50, 50)}, "must lie inside the 128x96 image"),
        ({"mask": np.zeros((96, 128), bool)}, "with a True pixel"),
    ],
)
def test_wrong_input_is_explained(pear, shot, given, message):
    with pytest.raises(ValueError, match=message):
        pear.find(**{"image": shot.image} | given)


def test_the_package_itself_loads_nothing_heavy():
    code = "import semcorr_ros, sys; assert 'torch' not in sys.modules; semcorr_ros.load"
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        semcorr_ros.lode  # noqa: B018
