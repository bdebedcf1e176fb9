"""Artefacts survive the disk; damage and interruptions are told, never silent."""

import io

import cv2
import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from semcorr_ros import storage


def test_tensors_round_trip_with_equal_bytes(tmp_path):
    tensors = {"b": torch.rand(3, 2), "a": torch.arange(4)}
    for name in ("one", "two"):
        storage.write_tensors(tmp_path / name, dict(reversed(tensors.items())), {"z": 1, "a": [2]})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    found, header = storage.read_tensors(tmp_path / "one")
    assert header == {"z": 1, "a": [2]}
    assert torch.equal(found["a"], tensors["a"])
    assert torch.equal(found["b"], tensors["b"])


@pytest.mark.parametrize(
    "damage", [lambda b: b[: len(b) // 2], lambda b: b"not a tensor file", lambda b: b""]
)
def test_damaged_file_is_named(tmp_path, damage):
    path = tmp_path / "x.safetensors"
    storage.write_tensors(path, {"a": torch.rand(100)}, {})
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=r"x\.safetensors"):
        storage.read_tensors(path)


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "x.json"
    storage.write_json(path, {"a": 1})

    def interrupted_write():
        with storage.atomic_path(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted_write()
    assert storage.read_json(path) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_bad_json_and_missing_file_are_named(tmp_path):
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(ValueError, match=r"x\.json is not valid JSON"):
        storage.read_json(tmp_path / "x.json")
    with pytest.raises(FileNotFoundError, match=r"y\.json"):
        storage.read_json(tmp_path / "y.json")


def test_images_round_trip_and_corrupt_ones_are_named(tmp_path):
    image = torch.randint(0, 255, (6, 9, 3), dtype=torch.uint8)
    storage.write_image(tmp_path / "x.png", image)
    assert torch.equal(storage.read_image(tmp_path / "x.png"), image)
    (tmp_path / "x.png").write_bytes(b"\x89PNG broken")
    with pytest.raises(ValueError, match=r"x\.png is not a readable image"):
        storage.read_image(tmp_path / "x.png")


@pytest.mark.parametrize("name", ["found", "found.xyz"])
def test_a_picture_without_a_known_ending_is_named_and_leaves_nothing(tmp_path, name):
    with pytest.raises(ValueError, match=rf"{name}: its ending says no image format; name it \.png"):
        storage.write_image(tmp_path / name, torch.zeros(4, 4, 3, dtype=torch.uint8))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_is_read_as_viewers_show_it(tmp_path, orientation):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (6, 9, 3), np.uint8))
    exif = Image.Exif()
    exif[storage.ORIENTATION] = orientation
    picture.save(tmp_path / "x.png", exif=exif)
    with Image.open(tmp_path / "x.png") as stored:
        shown = torch.from_numpy(np.array(ImageOps.exif_transpose(stored)))
    found = storage.read_image(tmp_path / "x.png")
    assert torch.equal(found, shown)
    assert storage.image_size(tmp_path / "x.png") == tuple(found.shape[:2])


def test_sixteen_bit_grays_are_not_white(tmp_path):
    grays = np.linspace(0, 65535, 54).astype(np.uint16).reshape(6, 9)
    Image.fromarray(grays).save(tmp_path / "x.png")
    found = storage.read_image(tmp_path / "x.png")
    assert torch.equal(found, torch.from_numpy((grays // 256).astype(np.uint8))[..., None].expand(-1, -1, 3))


def test_numbers_that_are_no_picture_and_too_large_ones_are_named(tmp_path, monkeypatch):
    Image.fromarray(np.full((6, 9), 0.5, np.float32)).save(tmp_path / "x.tiff")
    with pytest.raises(ValueError, match=r"x\.tiff holds numbers of mode 'F'"):
        storage.read_image(tmp_path / "x.tiff")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    for read in (storage.read_image, storage.image_size):
        with pytest.raises(ValueError, match=r"x\.tiff is not a readable image: Image size"):
            read(tmp_path / "x.tiff")


def test_a_huge_or_foreign_picture_is_refused_before_it_is_decoded(monkeypatch):
    buffer = io.BytesIO()
    Image.new("L", (30, 20)).save(buffer, "PNG")
    assert storage.decode(buffer.getvalue(), cv2.IMREAD_UNCHANGED, "x").shape == (20, 30)
    monkeypatch.setattr(storage, "MAX_PIXELS", 599)
    monkeypatch.setattr(cv2, "imdecode", None)
    with pytest.raises(ValueError, match=r"^x is not a readable .*: 30x20 is larger than 599 pixels"):
        storage.decode(buffer.getvalue(), cv2.IMREAD_UNCHANGED, "x")
    bitmap = io.BytesIO()
    Image.new("L", (3, 2)).save(bitmap, "BMP")
    with pytest.raises(ValueError, match=r"^y is not a readable JPEG or PNG image"):
        storage.decode(bitmap.getvalue(), cv2.IMREAD_UNCHANGED, "y")
