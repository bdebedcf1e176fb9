"""Artefacts survive the disk; damage and interruptions are told, never silent."""

import pytest
import torch

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


@pytest.mark.parametrize("name", ["found", "found.xyz"])
def test_a_picture_without_a_known_ending_is_named_and_leaves_nothing(tmp_path, name):
    with pytest.raises(ValueError, match=rf"{name}: its ending says no image format; name it \.png"):
        storage.write_image(tmp_path / name, torch.zeros(4, 4, 3, dtype=torch.uint8))
    assert list(tmp_path.iterdir()) == []
