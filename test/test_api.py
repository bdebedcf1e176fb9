"""The five lines of the README, and what they say to wrong input."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pear_camera
import pytest
import torch
from methods.semalign3d.alignment import fabricated

import semcorr_ros
from semcorr_ros.api import _frame
from semcorr_ros.geometry import taken
from semcorr_ros.methods.semalign3d.class_file import write_class

pytestmark = pytest.mark.usefixtures("fabricated_backbone")
K = np.array(fabricated.K)


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


@pytest.mark.parametrize(
    ("unit", "kind"), [(1e-3, np.uint16), (1e-4, np.uint16), (2e-4, np.int32), (1e-3, float)]
)
def test_depth_of_any_unit_is_metres_by_its_scale(pear, shot, unit, kind):
    truth = pear.find(shot.image, depth=shot.depth, K=K)
    found = pear.find(shot.image, depth=np.rint(shot.depth / unit).astype(kind), K=K, depth_scale=unit)
    assert np.nanmax((found.xyz - truth.xyz).abs().numpy()) < 0.01
    assert not found.note


@pytest.mark.parametrize("factor", [0.1, 0.2, 5.0, 10.0])
def test_an_object_much_larger_or_smaller_than_its_class_is_doubted(pear, shot, factor):
    answer = pear.find(shot.image, depth=shot.depth * factor, K=K, mask=shot.depth > 0)
    said = answer.note if answer.found else answer.refusal.message
    assert "Is the depth in another unit (depth_scale)" in said


@pytest.mark.usefixtures("wrong_shapes")
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"image": np.zeros((8, 8, 3))}, "image must be uint8 RGB"),
        ({"depth": np.zeros((96, 128), np.uint16)}, "float metres .* millimetres have depth_scale=0.001"),
        ({"depth": np.full((96, 128), 850.0)}, "median of 850 m: floats are metres"),
        ({"K": "abc"}, "K must be a 3x3 matrix of numbers"),
        ({"K": K.T}, r"K must be \[\[fx, 0, cx\]"),
        ({"K": np.eye(3)}, "K must be in pixels of the 128x96 image"),
        ({"box": (1, 2, 3)}, "box .* must lie inside"),
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


def test_depth_without_a_camera_gives_no_metres(pear, shot):
    answer = pear.find(shot.image, depth=shot.depth)
    assert answer.found
    assert not answer.pose.metric
    assert np.isnan(answer.xyz.numpy()).all()
    assert "calibrated camera" in answer.note


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        ([[99999, -5]], "outside the 128x96 source image"),
        ([[np.nan, 1]], "outside"),
        ([[1, 2, 3], [4, 5, 6]], r"pixels must be \(n, 2\)"),
        ([], r"pixels must be \(n, 2\), one or more"),
    ],
)
def test_only_pixels_of_the_source_are_transferred(pear, shot, pixels, message):
    answer = pear.find(shot.image)
    with pytest.raises(ValueError, match=message):
        pear.transfer(answer, pixels, answer)


def test_a_refused_source_refuses_and_says_that_it_was_the_source(pear, shot):
    there, black = pear.find(shot.image, depth=shot.depth, K=K), pear.find(np.zeros_like(shot.image))
    answer = pear.transfer(black, [[4, 4]], there)
    assert answer.refusal.message.startswith("source picture: ")
    assert answer.pose is None
    assert np.isnan(answer.pixels.numpy()).all()
    with pytest.raises(ValueError, match="give the image"):
        semcorr_ros.draw(black)
    assert semcorr_ros.draw(black, shot.image).dtype == np.uint8
    with pytest.raises(ValueError, match="the answer is about an image of"):
        semcorr_ros.draw(there, np.zeros((9, 9, 3), np.uint8))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"min_score": 50.0}, "min_score must be between -1 and 1, got 50"),
        ({"seed": -1}, "seed must be between"),
        ({"device": "cudda"}, "device cudda cannot be used here"),
        ({"class_file": ""}, "class_file must be the path of a class file, got ''"),
    ],
)
def test_what_load_does_not_take(tmp_path, given, message):
    write_class(tmp_path / "pear.safetensors", fabricated.make_class())
    with pytest.raises(ValueError, match=message):
        semcorr_ros.load(**{"class_file": tmp_path / "pear.safetensors", "device": "cpu"} | given)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_camera_that_is_mounted_turned(pear, shot, degrees):
    """The same answer in the camera's own pixels and frame."""
    truth = pear.find(shot.image, depth=shot.depth, K=K)
    back = -degrees // 90  # what makes it upright was undone by the mount
    image, depth = (np.ascontiguousarray(np.rot90(part, -back)) for part in (shot.image, shot.depth))
    turned = taken.straightened(_frame(shot.image, shot.depth, K, 0.0), None, -degrees % 360)
    (fx, fy), (cx, cy) = turned.camera.focal.tolist(), turned.camera.principal_point.tolist()
    own = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    assert np.array_equal(turned.image.numpy(), image)
    answer = pear.find(image, depth=depth, K=own, rotate=degrees)
    assert answer.found
    turn = taken.rotation(-degrees % 360)
    np.testing.assert_allclose(answer.xyz, truth.xyz @ turn.T, atol=1e-4)
    np.testing.assert_allclose(
        answer.pixels, taken.to_taken(truth.pixels, _Plain(turned, degrees)), atol=1e-2
    )
    torch.testing.assert_close(answer.pose.rotation, turn @ truth.pose.rotation, atol=1e-4, rtol=0)
    assert np.array_equal(semcorr_ros.draw(answer, image), semcorr_ros.draw(answer))
    carried = pear.transfer(answer, answer.pixels[:2].numpy(), answer)
    np.testing.assert_allclose(carried.pixels, answer.pixels[:2], atol=3)
    rows, columns = np.nonzero(depth > 0)
    box = tuple(int(v) for v in (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1))
    for where in ({"box": box}, {"mask": depth > 0}):
        assert pear.find(image, depth=depth, K=own, rotate=degrees, **where).found


class _Plain:
    """The upright picture, as what is looked at of the turned one."""

    lens = None

    def __init__(self, turned, degrees):
        self.rotate = degrees
        self.image = taken.turned(turned.image, degrees)
