"""Pictures of every kind show what viewers show; what cannot be shown is one line."""

from __future__ import annotations

import io
import struct

import cv2
import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from semcorr_ros.files import picture
from semcorr_ros.storage import write_image

RGB = np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)


def read(folder, image: Image.Image, name: str = "x.png", **options) -> np.ndarray:
    image.save(folder / name, **options)
    found = picture.read_image(folder / name)
    assert picture.image_size(folder / name) == tuple(found.shape[:2])
    return found.numpy()


def test_round_trip_and_corrupt_ones_are_named(tmp_path):
    write_image(tmp_path / "x.png", torch.from_numpy(RGB))
    assert torch.equal(picture.read_image(tmp_path / "x.png"), torch.from_numpy(RGB))
    (tmp_path / "x.png").write_bytes(b"\x89PNG broken")
    with pytest.raises(ValueError, match=r"x\.png is not a readable image"):
        picture.read_image(tmp_path / "x.png")
    with pytest.raises(FileNotFoundError, match=r"no image .*y\.png"):
        picture.read_image(tmp_path / "y.png")


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tiff"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_is_read_as_viewers_show_it(tmp_path, orientation, kind):
    exif = Image.Exif()
    exif[picture.ORIENTATION] = orientation
    lossless = {"lossless": True} if kind == "webp" else {}
    found = read(tmp_path, Image.fromarray(RGB), f"x.{kind}", exif=exif, **lossless)
    assert picture.orientation_of(tmp_path / f"x.{kind}") == orientation
    with Image.open(tmp_path / f"x.{kind}") as stored:
        assert np.array_equal(found, np.array(ImageOps.exif_transpose(stored)))
    assert found.shape == ((9, 6, 3) if orientation > 4 else (6, 9, 3))


def test_damaged_exif_data_leave_a_picture_as_it_is_stored(tmp_path):
    found = read(tmp_path, Image.fromarray(RGB), exif=b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\xff\xff\x01\x12")
    assert np.array_equal(found, RGB)


@pytest.mark.parametrize(
    ("bits", "kind"), [(16, "png"), (16, "tiff"), (14, "png"), (12, "png"), (10, "tiff")]
)
def test_deep_grays_are_neither_white_nor_black(tmp_path, bits, kind):
    grays = np.linspace(0, 2**bits - 1, 54).astype(np.uint16).reshape(6, 9)
    found = read(tmp_path, Image.fromarray(grays), f"x.{kind}")
    assert np.array_equal(found, np.repeat((grays >> (bits - 8))[..., None], 3, -1))


@pytest.mark.parametrize("bits", [8, 16])
def test_grays_of_a_scanner_whose_white_is_zero(tmp_path, bits):
    grays = np.linspace(0, 2**bits - 1, 54).astype(f"<u{bits // 8}").reshape(6, 9)
    data = (grays.max() - grays).tobytes()
    # Width, height, bits, no compression, white is zero, where, rows, bytes: Pillow writes no such file.
    short, long = 3, 4
    tags = [(256, long, 9), (257, long, 6), (258, short, bits), (259, short, 1), (262, short, 0)]
    tags += [(273, long, 8), (278, long, 6), (279, long, len(data))]
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    header = struct.pack("<2sHI", b"II", 42, 8 + len(data))
    (tmp_path / "x.tif").write_bytes(header + data + struct.pack("<H", len(tags)) + entries + bytes(4))
    found = picture.read_image(tmp_path / "x.tif").numpy()
    assert np.array_equal(found, np.repeat((grays >> (bits - 8))[..., None], 3, -1))


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_deep_colours(tmp_path, kind):
    deep = (RGB.astype(np.uint16) << 8) + 7
    cv2.imwrite(str(tmp_path / f"x.{kind}"), deep[..., ::-1])
    assert np.array_equal(picture.read_image(tmp_path / f"x.{kind}").numpy(), RGB)


def test_alpha_and_palettes_show_the_stored_colours(tmp_path):
    opaque = Image.fromarray(RGB)
    for alpha in (255, 0, 128):
        image = opaque.copy()
        image.putalpha(alpha)
        assert np.array_equal(read(tmp_path, image), RGB)
    gray = Image.fromarray(RGB[..., 0])
    assert np.array_equal(read(tmp_path, Image.merge("LA", (gray, gray))), np.repeat(RGB[..., :1], 3, -1))
    few = Image.fromarray(RGB // 128 * 255).quantize(8)
    assert np.array_equal(read(tmp_path, few, transparency=0), np.array(few.convert("RGB")))
    bits = Image.fromarray(RGB[..., 0] > 127)
    assert np.array_equal(read(tmp_path, bits), np.repeat((RGB[..., :1] > 127) * np.uint8(255), 3, -1))


def test_print_colours(tmp_path):
    flat = np.broadcast_to(np.array([200, 60, 30], np.uint8), (16, 16, 3))
    found = read(tmp_path, Image.fromarray(flat).convert("CMYK"), "x.jpg", quality=95)
    assert np.abs(found.astype(int) - flat).max() < 6


def test_numbers_that_are_no_picture_are_named(tmp_path):
    for values in (np.full((6, 9), 0.5, np.float32), np.full((6, 9), 1 << 20, np.int32)):
        Image.fromarray(values).save(tmp_path / "x.tiff")
        with pytest.raises(ValueError, match=r"x\.tiff is not a readable image: it holds numbers of mode"):
            picture.read_image(tmp_path / "x.tiff")


def test_what_claims_to_be_huge_is_one_line(tmp_path):
    for side in (11400, 14000):  # above our limit; above Pillow's own
        Image.new("1", (side, side)).save(tmp_path / "x.png")
        for function in (picture.read_image, picture.image_size):
            with pytest.raises(ValueError, match=r"x\.png is not a readable image: ") as told:
                function(tmp_path / "x.png")
            assert "\n" not in str(told.value)


def test_a_picture_of_a_phone_in_a_format_that_is_not_read_says_so(tmp_path):
    (tmp_path / "x.jpg").write_bytes(b"\x00\x00\x00\x18ftypheic" + bytes(40))
    with pytest.raises(ValueError, match="HEIC"):
        picture.read_image(tmp_path / "x.jpg")


@pytest.mark.parametrize("cut", [1, 4, 12, 13, 40])
def test_a_png_that_is_cut_or_changed_is_refused(tmp_path, cut):
    Image.fromarray(RGB).save(tmp_path / "x.png")
    whole = (tmp_path / "x.png").read_bytes()
    changed = bytearray(whole)
    changed[len(whole) - 12 - cut] ^= 1
    for damaged in (whole[:-cut], bytes(changed)):
        (tmp_path / "x.png").write_bytes(damaged)
        with pytest.raises(ValueError, match=r"x\.png is not a readable image"):
            picture.read_image(tmp_path / "x.png")
        with pytest.raises(ValueError, match="y is not a readable"):
            picture.decode(damaged, cv2.IMREAD_UNCHANGED, "y")


def test_a_huge_or_foreign_message_is_refused_before_it_is_decoded(monkeypatch):
    buffer = io.BytesIO()
    Image.new("L", (30, 20)).save(buffer, "PNG")
    assert picture.decode(buffer.getvalue(), cv2.IMREAD_UNCHANGED, "x").shape == (20, 30)
    monkeypatch.setattr(picture, "MAX_PIXELS", 599)
    monkeypatch.setattr(cv2, "imdecode", None)
    with pytest.raises(ValueError, match=r"^x is not a readable .*: 30x20 is larger than 599 pixels"):
        picture.decode(buffer.getvalue(), cv2.IMREAD_UNCHANGED, "x")
    bitmap = io.BytesIO()
    Image.new("L", (3, 2)).save(bitmap, "BMP")
    with pytest.raises(ValueError, match=r"^y is not a readable JPEG or PNG image: it is no image that is"):
        picture.decode(bitmap.getvalue(), cv2.IMREAD_UNCHANGED, "y")
