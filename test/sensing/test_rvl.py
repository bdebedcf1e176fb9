"""RVL: known bytes, the encoder of test/rvl.py, and data that are none."""

from __future__ import annotations

import struct

import camera_messages
import numpy as np
import pytest
import rvl as encoder

from semcorr_ros.files.picture import MAX_PIXELS
from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.sensing import images, rvl


def test_known_bytes():
    """Zeros 1, others 2; 5 (+5 -> 10 = 2 + 8*1: nibbles a, 1), 4 (-1 -> 1); zeros 1, others 0."""
    data = struct.pack("<III", 2, 2, 0x12A11100 | 0)
    assert rvl.decode(data, 10).tolist() == [[0, 5], [4, 0]]


@pytest.mark.parametrize("seed", range(6))
def test_what_is_encoded_comes_back(seed):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 65536 if seed % 2 else 900, (rng.integers(1, 40), rng.integers(1, 40))).astype(
        np.uint16
    )
    image[rng.random(image.shape) < (0.0, 0.3, 0.9, 0.5, 1.0, 0.99)[seed]] = 0
    decoded = rvl.decode(encoder.encode(image), MAX_PIXELS)
    assert decoded.dtype == np.uint16
    np.testing.assert_array_equal(decoded, image)


def test_data_that_are_cut_off_never_pass():
    image = np.random.default_rng(0).integers(1, 3000, (12, 20)).astype(np.uint16)
    whole = encoder.encode(image)
    for length in range(0, len(whole) - 4, 7):
        with pytest.raises(ValueError, match=r"ends after|no width"):
            rvl.decode(whole[:length], MAX_PIXELS)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (struct.pack("<II", 10**6, 10**6), "it claims to be 1000000x1000000"),
        (struct.pack("<II", 0, 4), "it claims to be 0x4"),
        (struct.pack("<III", 2, 2, 0x00000000), "runs do not fill"),
        (struct.pack("<III", 2, 2, 0x07000000), "runs do not fill"),
        (struct.pack("<III", 2, 2, 0x04100000), "leave the range"),
        (struct.pack("<IIII", 2, 2, 0xFFFFFFFF, 0xFFF00000), "longer than any"),
    ],
)
def test_what_is_no_rvl_is_said(data, said):
    with pytest.raises(ValueError, match=said):
        rvl.decode(data, MAX_PIXELS)


@pytest.mark.parametrize("kind", ["16UC1", "32FC1"])
def test_a_message_of_the_transport(kind):
    metres = np.full((6, 8), 0.75, np.float32)
    metres[2:4] = [[0.0, 0.5, 1.25, 2.0, 2.5, 3.0, 0.0, 4.0]] * 2
    png = camera_messages.compressed_depth(metres, kind)
    from_png = images.depth_from_message(png).values
    head = bytes(png.data[:12])
    values = np.rint(metres * 1000)
    if kind == "32FC1":
        a, b = struct.unpack("<ff", head[4:])
        values = (
            np.divide(a, metres, out=np.zeros_like(metres), where=metres > 0)
            .__add__(b * (metres > 0))
            .round()
        )
    message = camera_messages.compressed(
        head + encoder.encode(values.astype(np.uint16)), f"{kind}; compressedDepth rvl"
    )
    np.testing.assert_array_equal(images.depth_from_message(message).values, from_png)
    np.testing.assert_allclose(from_png, metres, rtol=0.02)


def test_a_broken_message_is_refused_with_its_format():
    message = camera_messages.compressed(b"\0" * 12 + b"\1\0\0", "16UC1; compressedDepth rvl")
    with pytest.raises(Refusal, match="compressedDepth rvl") as refused:
        images.depth_from_message(message)
    assert refused.value.code == Code.BAD_ENCODING
