"""Numbers in a CameraInfo that are no camera's are refused; unusual cameras are not."""

from __future__ import annotations

import camera_messages
import numpy as np
import pytest

from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.sensing.calibration import camera_from_message, lens_from_message

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
    camera = camera_from_message(message(*numbers), SIZE)
    assert camera.focal.tolist() == [numbers[0], numbers[1]]


def test_the_lens_has_the_focal_lengths_and_the_axis_of_the_camera():
    calibration = message(600.0, 630.0, 300.0, 250.0)
    calibration.d = [-0.2, 0.05, 0.001, -0.002, 0.0]
    lens = lens_from_message(calibration, camera_from_message(calibration, SIZE))
    assert (lens.model, lens.size) == ("plumb_bob", SIZE)
    assert (lens.focal, lens.principal_point) == ((600.0, 630.0), (300.0, 250.0))
    assert lens.coefficients == (-0.2, 0.05, 0.001, -0.002, 0.0)
