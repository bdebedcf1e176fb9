"""Mosaics, chroma subsampling, compressed images and depth."""

from __future__ import annotations

import struct
import zlib

import camera_messages
import cv2
import numpy as np
import pytest
from PIL import Image

from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.sensing import images

ROWS, COLUMNS = 24, 32


def smooth() -> np.ndarray:
    """A picture whose mosaic can be undone well: it changes slowly."""
    y, x = np.mgrid[:ROWS, :COLUMNS].astype(np.float32)
    return np.stack([4 * x + 60, 5 * y + 40, 3 * (x + y) + 20], -1).astype(np.uint8)


def refused(message, depth: bool = False) -> Refusal:
    with pytest.raises(Refusal) as caught:
        (images.depth_from_message if depth else images.color_from_message)(message)
    assert caught.value.code == Code.BAD_ENCODING
    return caught.value


@pytest.mark.parametrize("order", ["rggb", "bggr", "gbrg", "grbg"])
def test_bayer(order):
    rgb = smooth()
    mosaic = np.zeros((ROWS, COLUMNS), np.uint8)
    for at, color in enumerate(order):
        rows, columns = slice(at // 2, None, 2), slice(at % 2, None, 2)
        mosaic[rows, columns] = rgb[rows, columns, "rgb".index(color)]
    got = images.color_from_message(camera_messages.image(mosaic, f"bayer_{order}8")).numpy()
    np.testing.assert_allclose(got[1:-1, 1:-1].astype(int), rgb[1:-1, 1:-1], atol=1)
    np.testing.assert_allclose(got.astype(int), rgb, atol=8)


@pytest.mark.parametrize("encoding", ["yuv422", "uyvy", "yuv422_yuy2", "yuyv"])
@pytest.mark.parametrize(
    ("yuv", "rgb"),
    [((81, 90, 240), (254, 0, 0)), ((145, 54, 34), (0, 255, 1)), ((235, 128, 128), (255,) * 3)],
)
def test_yuv(encoding, yuv, rgb):
    y, u, v = yuv  # red, green and white of BT.601
    pairs = np.array([[y, u], [y, v]], np.uint8)
    if encoding in ("yuv422", "uyvy"):
        pairs = pairs[:, ::-1]
    message = camera_messages.image(np.tile(pairs[None], (3, 4, 1)), encoding)
    got = images.color_from_message(message).numpy()
    assert got.shape == (3, 8, 3)
    np.testing.assert_allclose(got.reshape(-1, 3).astype(int), np.tile(rgb, (24, 1)), atol=2)


@pytest.mark.parametrize("encoding", ["yuv422", "yuyv"])
def test_pairs_of_pixels_need_an_even_width(encoding):
    said = str(refused(camera_messages.image(np.zeros((4, 5, 2), np.uint8), encoding)))
    assert f"{encoding} needs an even width, got 5" in said


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (2, 2), (5, 3)])
def test_a_mosaic_of_any_size_is_gray_where_the_scene_is(size):
    got = images.color_from_message(camera_messages.image(np.full(size, 90, np.uint8), "bayer_grbg8"))
    assert got.shape == (*size, 3)
    assert got.unique().tolist() == [90]


def test_sixteen_bit_colors():
    pixels = np.array([[[0, 256, 65535]]], np.uint16)
    assert images.color_from_message(camera_messages.image(pixels, "rgb16")).tolist() == [[[0, 1, 255]]]
    assert images.color_from_message(camera_messages.image(pixels, "bgr16")).tolist() == [[[255, 1, 0]]]
    gray = images.color_from_message(camera_messages.image(pixels[..., 1], "mono16"))
    assert gray.tolist() == [[[1, 1, 1]]]


def test_png_and_jpeg_color():
    rgb = smooth()
    for kind, tolerance in (("PNG", 0), ("JPEG", 6)):
        options = {"quality": 95} if kind == "JPEG" else {}
        form = f"rgb8; {kind.lower()} compressed bgr8"
        message = camera_messages.compressed(camera_messages.encoded(rgb, kind, **options), form)
        got = images.color_from_message(message).numpy()
        np.testing.assert_allclose(got.astype(int), rgb, atol=tolerance)


def test_a_camera_on_its_side_is_not_turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = camera_messages.encoded(smooth(), "PNG", exif=exif)
    got = images.color_from_message(camera_messages.compressed(data, "rgb8; png compressed bgr8"))
    assert (got.numpy() == smooth()).all()


def test_gray_jpeg_becomes_rgb():
    data = camera_messages.encoded(smooth()[..., 0], "JPEG", quality=95)
    assert images.color_from_message(camera_messages.compressed(data, "mono8; jpeg")).shape == (
        ROWS,
        COLUMNS,
        3,
    )


@pytest.mark.parametrize("kind", ["16UC1", "32FC1"])
def test_compressed_depth(kind):
    metres = np.linspace(0.3, 4.0, ROWS * COLUMNS).reshape(ROWS, COLUMNS).astype(np.float32)
    metres[0, :4] = (0.0, np.nan, 0.0, np.nan)
    got = images.depth_from_message(camera_messages.compressed_depth(metres, kind))
    assert got.metric
    assert got.values[0, :4].tolist() == [0, 0, 0, 0]
    # The transport quantizes 1 / depth: 16 mm at 4 m with its default settings.
    tolerance = 0.0006 if kind == "16UC1" else 0.5 * 16 / (100 * 101) + 1e-4
    np.testing.assert_allclose(got.values.numpy()[1:], metres[1:], atol=tolerance)


def test_compressed_mono16_is_millimetres_as_it_is_uncompressed():
    metres = np.linspace(0.3, 4.0, ROWS * COLUMNS).reshape(ROWS, COLUMNS).astype(np.float32)
    message = camera_messages.compressed_depth(metres, "16UC1")
    message.format = "mono16; compressedDepth png"
    np.testing.assert_allclose(images.depth_from_message(message).values, metres, atol=6e-4)


def test_depth_that_no_camera_measures_is_invalid():
    metres = np.array([[0.5, 1e30, -1.0], [np.nan, 1e-30, np.inf]], np.float32)
    values = images.depth_from_message(camera_messages.image(metres, "32FC1")).values
    assert values.tolist() == [[0.5, 0, 0], [0, 0, 0]]


def test_millimetres_in_a_float_image_are_refused():
    millimetres = np.full((ROWS, COLUMNS), 700.0, np.float32)
    millimetres[: ROWS // 3] = np.nan
    said = str(refused(camera_messages.image(millimetres, "32FC1"), depth=True))
    assert "median of 700 m" in said
    assert "16UC1" in said
    hill = np.full((ROWS, COLUMNS), 5.0, np.float32)
    hill[: ROWS // 3] = 700.0  # behind what is near
    assert images.depth_from_message(camera_messages.image(hill, "32FC1")).values.max() == 700


@pytest.mark.parametrize(("far", "accepted"), [(5, True), (6, False)])
def test_more_than_half_of_the_pixels_decide_whether_depth_is_in_metres(far, accepted):
    """Ten that are measured, and two that are not."""
    metres = np.array([[700.0] * far + [5.0] * (10 - far) + [0.0, np.nan]], np.float32)
    message = camera_messages.image(metres, "32FC1")
    if accepted:
        assert np.count_nonzero(images.depth_from_message(message).values) == 10
    else:
        assert "millimetres as 16UC1" in str(refused(message, depth=True))


@pytest.mark.parametrize(
    "pixels",
    [np.full((4, 5), 150, np.uint8), np.full((4, 5, 3), 1500, np.uint16)],
    ids=["eight bits", "color"],
)
def test_a_depth_png_is_gray_and_of_sixteen_bits(pixels):
    data = cv2.imencode(".png", pixels)[1].tobytes()
    message = camera_messages.compressed(data, "16UC1; png compressed")
    assert "a gray PNG of 16 bits" in str(refused(message, depth=True))


def test_raw_and_compressed_depth_agree():
    metres = np.linspace(0.3, 4.0, ROWS * COLUMNS).reshape(ROWS, COLUMNS).astype(np.float32)
    raw = images.depth_from_message(camera_messages.image(np.rint(metres * 1000).astype(np.uint16), "16UC1"))
    packed = images.depth_from_message(camera_messages.compressed_depth(metres, "16UC1"))
    assert (raw.values == packed.values).all()


def test_a_png_without_header_is_depth_too():
    data = camera_messages.encoded(np.full((4, 5), 1500, np.uint16), "PNG")
    got = images.depth_from_message(camera_messages.compressed(data, "16UC1; png compressed"))
    assert got.values.unique().tolist() == pytest.approx([1.5])


def test_what_is_no_image_is_refused():
    good = camera_messages.encoded(smooth(), "PNG")
    photo = camera_messages.encoded(smooth(), "JPEG", quality=95)
    cut_off = (good[: len(good) // 2], photo[: len(photo) // 2], photo[:-2])
    for data in (b"", b"\x89PNG", *cut_off, b"x" * 1000):
        assert "is not a readable JPEG or PNG image" in str(
            refused(camera_messages.compressed(data, "rgb8; png"))
        )
    assert "RVL" in str(
        refused(camera_messages.compressed(bytes(50), "16UC1; compressedDepth rvl"), depth=True)
    )
    assert "header" in str(
        refused(camera_messages.compressed(b"abc", "16UC1; compressedDepth png"), depth=True)
    )
    refused(camera_messages.compressed(bytes(12) + good, "16UC1; compressedDepth png"), depth=True)
    refused(camera_messages.compressed(good, "rgb8; png"), depth=True)
    refused(camera_messages.compressed(good, "16UC1; compressedDepth png"))


def test_a_huge_size_is_refused_before_it_is_allocated():
    chunk = b"IHDR" + struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    refused(camera_messages.compressed(data + bytes(100), "rgb8; png compressed"))


def test_labels_are_one_number_per_pixel():
    labels = np.arange(12, dtype=np.uint16).reshape(3, 4) * 300
    found = images.labels_from_message(camera_messages.image(labels, "mono16"))
    assert found.tolist() == labels.tolist()
    with pytest.raises(Refusal) as caught:
        images.labels_from_message(camera_messages.image(np.zeros((3, 4, 3), np.uint8), "rgb8"))
    assert caught.value.code == Code.BAD_ENCODING


@pytest.mark.parametrize(("width", "fits"), [(3, True), (4, False)])
def test_the_largest_image_is_read_and_the_next_one_is_not(monkeypatch, width, fits):
    monkeypatch.setattr(images, "MAX_PIXELS", 6)
    message = camera_messages.image(np.ones((2, width), np.float32), "32FC1")
    if fits:
        assert images.depth_from_message(message).values.shape == (2, 3)
    else:
        assert "2x4" in str(refused(message, depth=True)) or "4x2" in str(refused(message, depth=True))


def test_numbers_come_in_the_order_of_this_machine():
    message = camera_messages.image(np.arange(6, dtype=">u2").reshape(2, 3), "16UC1")
    message.is_bigendian = True
    pixels = images._elements(message, np.dtype(np.uint16), 1)
    assert pixels.dtype.isnative
    assert pixels[..., 0].tolist() == [[0, 1, 2], [3, 4, 5]]
