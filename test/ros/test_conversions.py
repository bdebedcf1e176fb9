"""Every encoding, with padded rows and in both byte orders."""

from __future__ import annotations

import sys
from array import array

import numpy as np
import pytest
import torch
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from semcorr_ros.geometry import cameras
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.ros import conversions
from semcorr_ros.sensing import calibration, images

RGB = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)


def message(pixels: np.ndarray, encoding: str, padding: int = 0, big: bool = False, cut: int = 0) -> Image:
    """An Image built by hand, with `padding` bytes after each row and `cut` bytes missing at the end."""
    stored = pixels.astype(pixels.dtype.newbyteorder(">" if big else "<"))
    rows = stored.reshape(len(pixels), -1).view(np.uint8)
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=99)
    image = Image(height=pixels.shape[0], width=pixels.shape[1], encoding=encoding, is_bigendian=int(big))
    image.step = padded.shape[1]
    image.data = array("B", padded.tobytes()[: padded.size - cut])
    return image


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize(
    ("encoding", "pixels"),
    [
        ("rgb8", RGB),
        ("bgr8", RGB[..., ::-1]),
        ("rgba8", np.concatenate([RGB, RGB[..., :1]], -1)),
        ("bgra8", np.concatenate([RGB[..., ::-1], RGB[..., :1]], -1)),
    ],
)
def test_color_encodings_give_rgb(encoding, pixels, padding):
    got = images.color_from_message(message(np.ascontiguousarray(pixels), encoding, padding))
    assert got.dtype == torch.uint8
    np.testing.assert_array_equal(got.numpy(), RGB)


def test_mono8_gives_gray():
    got = images.color_from_message(message(RGB[..., 0], "mono8", padding=3))
    np.testing.assert_array_equal(got.numpy(), np.repeat(RGB[..., :1], 3, -1))


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("padding", [0, 4, 6])
def test_depth_in_both_byte_orders_and_units(big, padding):
    metres = np.array([[0.5, 1.25, 60.0], [0.0, 2.0, 0.001]], np.float32)
    millimetres = np.rint(metres * 1000).astype(np.uint16)
    for pixels, encoding in ((metres, "32FC1"), (millimetres, "16UC1")):
        got = images.depth_from_message(message(pixels, encoding, padding, big))
        assert got.metric
        np.testing.assert_allclose(got.values.numpy(), metres, atol=1e-6)


def test_invalid_depth_becomes_zero():
    pixels = np.array([[np.nan, np.inf, -np.inf, -1.0, 2.0]], np.float32)
    got = images.depth_from_message(message(pixels, "32FC1"))
    assert got.values.tolist() == [[0.0, 0.0, 0.0, 0.0, 2.0]]


def test_last_row_may_lack_its_padding():
    got = images.color_from_message(message(RGB, "rgb8", padding=8, cut=8))
    np.testing.assert_array_equal(got.numpy(), RGB)


@pytest.mark.parametrize(
    "bad",
    [
        message(RGB, "rgb8", cut=1),
        message(RGB, "rgb565"),
        Image(),
        Image(encoding="rgb8", width=10, height=10, step=10, data=array("B", bytes(100))),
    ],
    ids=["short", "unknown", "empty", "small step"],
)
def test_what_does_not_fit_is_refused(bad):
    with pytest.raises(Refusal) as caught:
        images.color_from_message(bad)
    assert caught.value.code == Code.BAD_ENCODING


def test_color_and_depth_are_not_mixed_up():
    with pytest.raises(Refusal, match="32FC1"):
        images.depth_from_message(message(RGB, "rgb8"))


def test_messages_round_trip():
    header = Header(frame_id="camera")
    depth = np.array([[0.5, 0.0], [np.nan, 70.0]], np.float32)
    color = conversions.color_message(RGB[:, ::-1], header)
    assert (color.header.frame_id, color.is_bigendian) == ("camera", int(sys.byteorder == "big"))
    np.testing.assert_array_equal(images.color_from_message(color).numpy(), RGB[:, ::-1])
    back = images.depth_from_message(conversions.depth_message(depth, header))
    assert back.values.tolist() == [[0.5, 0.0], [0.0, 0.0]]


def test_camera_round_trip():
    camera = cameras.from_matrix(torch.tensor([[500.0, 0, 320], [0, 510, 240], [0, 0, 1]]), (480, 640))
    message_ = conversions.camera_message(camera, Header())
    back, _ = calibration.camera_from_message(message_, (480, 640))
    assert back.focal.tolist() == [500, 510]
    assert back.principal_point.tolist() == [320, 240]


def test_every_field_of_a_camera():
    """P, too: rectified pictures are read with it."""
    camera = cameras.from_matrix(torch.tensor([[500.0, 0, 320], [0, 510, 240], [0, 0, 1]]), (480, 640))
    told = conversions.camera_message(camera, Header(frame_id="optical"))
    assert (told.header.frame_id, told.height, told.width) == ("optical", 480, 640)
    assert (told.distortion_model, list(told.d)) == ("plumb_bob", [0.0] * 5)
    assert told.k.tolist() == [500, 0, 320, 0, 510, 240, 0, 0, 1]
    assert told.r.tolist() == [1, 0, 0, 0, 1, 0, 0, 0, 1]
    assert told.p.tolist() == [500, 0, 320, 0, 0, 510, 240, 0, 0, 0, 1, 0]


def test_every_field_of_an_image():
    depth = np.array([[0.5, 65.535, 65.536], [np.inf, -np.inf, -0.001]], np.float32)
    told = conversions.depth_message(depth, Header(frame_id="optical"))
    assert (told.height, told.width, told.step, told.encoding) == (2, 3, 6, "16UC1")
    stored = np.frombuffer(told.data, np.uint16).tolist()
    assert stored == [500, 65535, 0, 0, 0, 0]
    color = conversions.color_message(RGB, Header(frame_id="optical"))
    assert (color.height, color.width, color.step, color.encoding) == (5, 7, 21, "rgb8")


def test_uncalibrated_or_foreign_camera():
    assert calibration.camera_from_message(CameraInfo(), (480, 640)) == (None, None)
    info = CameraInfo(width=320, height=200)
    info.k = np.array([300.0, 0, 160, 0, 300, 120, 0, 0, 1])
    with pytest.raises(Refusal, match="320x200 but the image is 640x480"):
        calibration.camera_from_message(info, (480, 640))
