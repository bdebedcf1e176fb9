"""Messages of one moment to a rectified frame; positions do not depend on the lens or the encoding."""

from __future__ import annotations

from types import SimpleNamespace

import camera_messages
import numpy as np
import pytest
import torch

from semcorr_ros.geometry import cameras, distortion
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.sensing.frame import box_from_message, read_frame

SIZE = (60, 80)
K = np.array([[70.0, 0, 39], [0, 71.0, 30], [0, 0, 1]])
BENT = (-0.25, 0.08, 0.001, -0.001, 0.0)


def messages(d=(), model: str = "plumb_bob", encoding: str = "16UC1"):
    color = np.random.default_rng(0).integers(0, 255, (*SIZE, 3), np.uint8)
    metres = np.full(SIZE, 1.25, np.float32)
    depth = metres if encoding == "32FC1" else np.rint(metres * 1000).astype(np.uint16)
    return (
        camera_messages.image(color, "rgb8"),
        camera_messages.camera_info(K, SIZE, d, model),
        camera_messages.image(depth, encoding),
    )


@pytest.mark.parametrize("encoding", ["16UC1", "32FC1"])
def test_units_come_from_the_encoding(encoding):
    frame = read_frame(*messages(encoding=encoding))
    assert frame.depth.metric
    assert frame.depth.values.unique().tolist() == [1.25]
    assert frame.lens is None


@pytest.mark.parametrize(
    ("d", "model"), [(BENT, "plumb_bob"), ((*BENT, 0.1, 0.0, 0.0), "rational_polynomial")]
)
def test_a_point_is_where_it_is_whatever_the_lens(d, model):
    """The pixel a bent lens shows a 3D point at leads back to that point."""
    frame = read_frame(*messages(d, model))
    at = torch.tensor([[0.3, -0.2, 1.25]])
    shown = distortion.to_image(cameras.project(at, frame.camera), frame.lens)
    straight = distortion.to_ideal(shown, frame.lens)
    assert (shown - straight).norm() > 0.3
    found = cameras.unproject(straight, torch.tensor([1.25]), frame.camera)
    torch.testing.assert_close(found, at, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda image, info, depth: setattr(info, "width", 79), Code.SIZE_MISMATCH),
        (lambda image, info, depth: depth.__dict__.update(height=30), Code.SIZE_MISMATCH),
        (lambda image, info, depth: setattr(info, "k", np.full(9, np.nan)), Code.UNCALIBRATED),
        (
            lambda image, info, depth: info.__dict__.update(distortion_model="double_sphere", d=[0.1] * 5),
            Code.UNCALIBRATED,
        ),
        (lambda image, info, depth: setattr(depth, "encoding", "rgb8"), Code.BAD_ENCODING),
        (lambda image, info, depth: setattr(image, "step", 3), Code.BAD_ENCODING),
    ],
)
def test_what_cannot_be_used_has_a_named_reason(change, code):
    parts = messages()
    change(*parts)
    with pytest.raises(Refusal) as caught:
        read_frame(*parts)
    assert caught.value.code == code


def test_an_uncalibrated_camera_without_depth_still_gives_a_picture():
    image, info, _ = messages()
    info.k = np.zeros(9)
    frame = read_frame(image, info, None)
    assert frame.camera is None
    assert frame.depth is None


def test_depth_has_the_lens_of_the_picture():
    """A ramp of depth, and what it becomes, pixel by pixel, where the lens is taken away."""
    color, info, depth = messages(BENT)
    ramp = np.linspace(0.5, 3.0, SIZE[0] * SIZE[1], dtype=np.float32).reshape(SIZE)
    depth = camera_messages.image(ramp, "32FC1")
    frame = read_frame(color, info, depth)
    assert torch.equal(frame.depth.values, distortion.rectify_depth(torch.from_numpy(ramp), frame.lens))
    assert (frame.depth.values - torch.from_numpy(ramp)).abs().max() > 0.1
    plain = read_frame(color, camera_messages.camera_info(K, SIZE), depth)
    assert torch.equal(frame.image, distortion.rectify_image(plain.image, frame.lens))
    assert not torch.equal(frame.image, plain.image)
    assert torch.equal(plain.depth.values, torch.from_numpy(ramp))


@pytest.mark.parametrize(
    ("region", "box"),
    [
        ((0, 0, 0, 0), None),
        ((5, 9, 0, 0), None),
        ((0, 0, 80, 60), (0, 0, 80, 60)),
        ((76, 56, 4, 4), (76, 56, 4, 4)),
        ((77, 10, 4, 9), Code.BAD_REQUEST),
        ((10, 57, 9, 4), Code.BAD_REQUEST),
        ((10, 10, 3, 9), Code.BAD_REQUEST),
        ((10, 10, 9, 3), Code.BAD_REQUEST),
        ((10, 10, 0, 9), Code.BAD_REQUEST),
    ],
)
def test_a_region_lies_in_the_image_and_is_no_point(region, box):
    """Of an image 80 pixels wide and 60 high; nothing at all stands for no region."""
    roi = SimpleNamespace(**dict(zip(("x_offset", "y_offset", "width", "height"), region, strict=True)))
    if isinstance(box, Code):
        with pytest.raises(Refusal) as caught:
            box_from_message(roi, SIZE)
        assert caught.value.code == box
    else:
        assert box_from_message(roi, SIZE) == box
