"""Numbers in a CameraInfo that are no camera's are refused; unusual cameras are not."""

from __future__ import annotations

from types import SimpleNamespace

import camera_messages
import numpy as np
import pytest

from semcorr_ros.provider_options import ReadingOptions
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.sensing.calibration import camera_from_message, image_size
from semcorr_ros.sensing.reading import reading_for, reading_of_requests

SIZE = (480, 640)


def message(fx: float, fy: float, cx: float = 319.5, cy: float = 239.5):
    return camera_messages.camera_info(np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]), SIZE)


@pytest.mark.parametrize("numbers", [(1e30, 1e30), (1.0, 1.0), (1e-30, 600.0), (600.0, 1e5), (-600.0, 600.0)])
def test_focal_lengths_of_no_camera(numbers):
    with pytest.raises(Refusal, match="focal length") as caught:
        camera_from_message(message(*numbers), SIZE)
    assert caught.value.code == Code.UNCALIBRATED


@pytest.mark.parametrize("center", [(1e30, 240.0), (320.0, -1e10), (np.nan, 240.0)])
def test_a_principal_point_out_of_this_world(center):
    with pytest.raises(Refusal, match="camera_info is unusable") as caught:
        camera_from_message(message(600.0, 600.0, *center), SIZE)
    assert caught.value.code == Code.UNCALIBRATED


@pytest.mark.parametrize(
    "numbers",
    [
        (30.0, 30.0),  # 169 degrees
        (60000.0, 60000.0),  # a telescope
        (600.0, 300.0),  # every other row is missing
        (600.0, 600.0, -4000.0, 200.0),  # a part of a large sensor
    ],
)
def test_unusual_cameras(numbers):
    camera, _ = camera_from_message(message(*numbers), SIZE)
    assert camera.focal.tolist() == [numbers[0], numbers[1]]


def test_the_lens_has_the_focal_lengths_and_the_axis_of_the_camera():
    calibration = message(600.0, 630.0, 300.0, 250.0)
    calibration.d = [-0.2, 0.05, 0.001, -0.002, 0.0]
    _, lens = camera_from_message(calibration, SIZE)
    assert (lens.model, lens.size) == ("plumb_bob", SIZE)
    assert (lens.focal, lens.principal_point) == ((600.0, 630.0), (300.0, 250.0))
    assert lens.coefficients == (-0.2, 0.05, 0.001, -0.002, 0.0)


def info(K, size, **fields):
    message = camera_messages.camera_info(K, size)
    roi = dict(zip(("x_offset", "y_offset", "width", "height"), fields.pop("roi", (0, 0, 0, 0)), strict=True))
    message.__dict__.update(
        {"binning_x": 0, "binning_y": 0, "p": [0.0] * 12, "roi": SimpleNamespace(**roi), **fields}
    )
    return message


FULL = np.array([[1200.0, 0, 639.5], [0, 1200.0, 511.5], [0, 0, 1]])
POINT = np.array([0.1, -0.05, 1.0])


@pytest.mark.parametrize(
    ("binning", "roi", "size"),
    [((2, 2), (0, 0, 0, 0), (512, 640)), ((1, 1), (300, 200, 640, 480), (480, 640)),
     ((2, 2), (300, 200, 640, 480), (240, 320)), ((2, 1), (0, 0, 0, 0), (1024, 640)),
     ((4, 4), (0, 0, 1280, 1024), (256, 320)), ((0, 0), (0, 0, 1280, 1024), (1024, 1280)),
     ((3, 3), (1, 1, 641, 481), (160, 213))],
)  # fmt: skip
def test_binning_and_region_shift_and_scale_k(binning, roi, size):
    message = info(FULL, (1024, 1280), binning_x=binning[0], binning_y=binning[1], roi=roi)
    camera, lens = camera_from_message(message, size)
    bins = np.maximum(binning, 1)
    # The centre of a binned pixel is the mean of the centres of those that became it.
    whole = (FULL @ POINT)[:2]
    expected = (whole - roi[:2] - (bins - 1) / 2) / bins
    found = camera.focal.numpy() * POINT[:2] + camera.principal_point.numpy()
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert (lens, camera.size, image_size(message)) == (None, size, size)


@pytest.mark.parametrize("size", [(480, 640), (512, 600), (1000, 1280)])
def test_an_image_that_binning_and_region_do_not_make_is_refused(size):
    message = info(FULL, (1024, 1280), binning_x=2, binning_y=2, roi=(300, 200, 640, 400))
    with pytest.raises(Refusal, match=r"of which 640x400 at .300, 200. are read out, binned 2x2") as caught:
        camera_from_message(message, size)
    assert caught.value.code == Code.SIZE_MISMATCH


def test_a_smaller_copy_of_the_picture_scales_k():
    camera, _ = camera_from_message(info(FULL, (1024, 1280)), (512, 640))
    assert camera.focal.tolist() == [600, 600]
    assert camera.principal_point.tolist() == [319.5, 255.5]


@pytest.mark.parametrize("sized", [(0, 0), (512, 640)])
def test_k_of_another_resolution_that_does_not_say_so_is_refused(sized):
    with pytest.raises(Refusal, match="in the middle of one of 1280x1024") as caught:
        camera_from_message(info(FULL, sized), (512, 640))
    assert caught.value.code == Code.UNCALIBRATED


P = [[500.0, 0, 310, -60], [0, 505.0, 250, 0], [0, 0, 1, 0]]
RAW = np.array([[600.0, 0, 319.5], [0, 600, 239.5], [0, 0, 1]])


@pytest.mark.parametrize(
    ("topic", "option", "d", "straight"),
    [("/cam/image_raw", "auto", 0.1, False), ("/cam/image_rect", "auto", 0.1, True),
     ("/cam/image_rect_color/compressed", "auto", 0.1, True), ("/zed/rgb/rect/image", "auto", 0.1, True),
     ("/cam/image_raw", "auto", 0.0, True), ("/cam/image_raw", "yes", 0.1, True),
     ("/cam/image_rect", "no", 0.1, False), ("/direct/image_correct", "auto", 0.1, False),
     ("/cam/image_rect_raw", "auto", 0.1, True), ("/unrect/image", "auto", 0.1, False)],
)  # fmt: skip
def test_k_with_distortion_or_p_without(topic, option, d, straight):
    reading = reading_for(ReadingOptions(rectified=option), topic)
    message = info(RAW, SIZE, d=[d, 0.0, 0.0, 0.0, 0.0], p=np.ravel(P))
    camera, lens = camera_from_message(message, SIZE, reading.rectified)
    assert (lens is None) == straight
    assert camera.focal.tolist() == ([500, 505] if straight else [600, 600])
    assert camera.principal_point.tolist() == ([310, 250] if straight else [319.5, 239.5])


def test_without_a_projection_k_counts():
    camera, lens = camera_from_message(info(RAW, SIZE), SIZE, True)
    assert (camera.focal.tolist(), lens) == ([600, 600], None)


def test_pictures_of_requests_are_not_turned_like_those_of_the_camera():
    options = ReadingOptions(rotate="90", depth_scale=0.001)
    assert reading_for(options, "/image").rotate == 90
    assert reading_of_requests(options).rotate == 0
    assert reading_of_requests(options).depth_scale == 0.001
