"""Recordings that were cut off or lost a file: what is whole of them is read, and what is not is said."""

from __future__ import annotations

import camera_messages
import numpy as np
import pytest
import torch
from pear_camera import Shot

pytest.importorskip("rosbags", reason="pip install 'semcorr_ros[bags]'")
import fabricated_bag
import rvl
from rosbags.rosbag2 import CompressionFormat, CompressionMode, Writer

from semcorr_ros.artifacts import Camera
from semcorr_ros.bags.bag import open_bag
from semcorr_ros.sensing import images

SHOTS = 6


@pytest.fixture(scope="module")
def shots():
    return taken(30, 40)


def taken(height, width):
    rng = np.random.default_rng(0)
    camera = Camera(torch.tensor([50.0, 50.0]), torch.tensor([20.0, 15.0]), (height, width))
    return [
        Shot(
            rng.integers(0, 255, (height, width, 3)).astype(np.uint8),
            np.full((height, width), 0.5 + i / 10),
            camera,
            np.zeros((1, 3)),
            np.zeros((1, 2)),
        )
        for i in range(SHOTS)
    ]


def bag(folder, shots, kind="mcap"):
    fabricated_bag.write_bag(folder / "bag", shots, kind)
    (file,) = (folder / "bag").glob("*.mcap*" if kind == "mcap" else "*.db3*")
    return folder / "bag", file


def depths(path):
    """Middle depth of each depth image in millimetres, and what is said of the damage."""
    with open_bag(path, {}) as opened:
        found = [
            round(1000 * float(images.depth_from_message(one.message).values[15, 20]))
            for one in opened.messages()
            if one.stream == "depth"
        ]
        return found, opened.notes


WHOLE = [500, 600, 700, 800, 900, 1000]


@pytest.mark.parametrize("kind", ["mcap", "sqlite3"])
def test_a_folder_without_metadata(kind, shots, tmp_path):
    folder, file = bag(tmp_path, shots, kind)
    assert depths(folder) == (WHOLE, [])
    (folder / "metadata.yaml").unlink()
    found, notes = depths(folder)
    assert found == WHOLE
    assert f"{file.name} in it was read instead" in notes[0]


@pytest.mark.parametrize(
    "change", [("storage_identifier: mcap", "storage_identifier: ''"), ("version: 9", "version: [")]
)
def test_metadata_that_are_wrong(change, shots, tmp_path):
    folder, file = bag(tmp_path, shots)
    text = (folder / "metadata.yaml").read_text()
    assert change[0] in text
    (folder / "metadata.yaml").write_text(text.replace(*change))
    found, notes = depths(folder)
    assert found == WHOLE
    assert f"{file.name} in it was read instead" in notes[0]


@pytest.mark.parametrize("whole_folder", [True, False])
def test_a_cut_mcap_is_read_up_to_the_cut(whole_folder, shots, tmp_path):
    folder, file = bag(tmp_path, shots)
    data, counts = file.read_bytes(), []
    for share in (0.98, 0.7, 0.4):
        file.write_bytes(data[: int(share * len(data))])
        found, notes = depths(folder if whole_folder else file)
        assert found == WHOLE[: len(found)]
        assert "was cut off, what is whole of it was read" in notes[-1]
        counts.append(len(found))
    assert counts[0] == SHOTS
    assert SHOTS > counts[1] > counts[2] > 0
    file.write_bytes(data[:100])
    with pytest.raises(ValueError, match="not a readable bag"):
        depths(folder)


def test_a_damaged_definition_is_said(shots, tmp_path):
    _, file = bag(tmp_path, shots)
    file.write_bytes(file.read_bytes().replace(b"uint32 step", b"uint32 stop"))
    found, notes = depths(file)
    assert found == []
    assert "its definition of sensor_msgs/msg/Image has no 'step'" in notes[-1]


def test_two_files_of_one_recording(shots, tmp_path):
    folder, _ = bag(tmp_path, shots[:3])
    bag(tmp_path / "other", shots[3:])[1].rename(folder / "bag_1.mcap")
    (folder / "metadata.yaml").unlink()
    found, _ = depths(folder)
    assert sorted(found) == WHOLE


def test_a_cut_database_says_how_far_it_is_read(shots, tmp_path):
    _, file = bag(tmp_path, shots, "sqlite3")
    data = file.read_bytes()
    for share in (0.9, 0.5, 0.1):
        file.write_bytes(data[: int(share * len(data))])
        try:
            found, notes = depths(file)
        except ValueError as error:
            assert "not a readable bag" in str(error)  # noqa: PT017 - how far SQLite gets is its own
        else:
            assert found == WHOLE[: len(found)]
            assert len(found) == SHOTS or notes


@pytest.mark.parametrize("kind", ["mcap", "sqlite3"])
@pytest.mark.parametrize("mode", ["FILE", "MESSAGE"])
def test_compression_that_metadata_would_have_told(mode, kind, shots, tmp_path, monkeypatch):
    compressing(monkeypatch, mode)
    folder, file = bag(tmp_path, shots, kind)
    assert (file.suffix == ".zstd") == (mode == "FILE")
    assert depths(folder) == (WHOLE, [])
    assert depths(file) == (WHOLE, [])
    (folder / "metadata.yaml").unlink()
    found, notes = depths(folder)
    assert found == WHOLE
    assert f"'{folder / 'metadata.yaml'}' does not exist" in notes[0]
    assert f"{file.name} in it was read instead" in notes[0]


def test_a_compressed_file_is_read_up_to_the_cut(tmp_path, monkeypatch):
    compressing(monkeypatch, "FILE")
    _, file = bag(tmp_path, taken(240, 320))  # many of the 128 KiB blocks that zstd packs
    data = file.read_bytes()
    file.write_bytes(data[: len(data) * 6 // 10])
    found, notes = depths(file)
    assert SHOTS > len(found) > 0
    assert found == WHOLE[: len(found)]
    assert "was cut off, what is whole of it was read" in notes[-1]
    file.write_bytes(b"no zstd at all")
    with pytest.raises(ValueError, match="not a readable bag"):
        depths(file)


def compressing(monkeypatch, mode):
    class Compressing(Writer):
        def __init__(self, *args, **settings):
            super().__init__(*args, **settings)
            self.set_compression(CompressionMode[mode], CompressionFormat.ZSTD)

    monkeypatch.setattr(fabricated_bag, "Writer", Compressing)


def test_a_folder_of_bags_names_them(shots, tmp_path):
    with pytest.raises(ValueError, match=r"holds none of \*\.mcap, "):
        depths(tmp_path)
    bag(tmp_path / "run_1", shots[:1])
    with pytest.raises(ValueError, match="not a readable bag: it holds the bag bag: give one of them"):
        depths(tmp_path / "run_1")


def test_depth_in_rvl(shots, tmp_path, monkeypatch):
    plain = fabricated_bag.messages

    def packed(shot, seconds, *_):
        color, info, _ = plain(shot, seconds, True)
        data = rvl.encode(np.rint(shot.depth * 1000).astype(np.uint16))
        message = camera_messages.compressed(bytes(12) + data, "16UC1; compressedDepth rvl")
        return color, info, fabricated_bag._make(fabricated_bag.PACKED, message, seconds)

    monkeypatch.setattr(fabricated_bag, "messages", packed)
    fabricated_bag.write_bag(tmp_path / "bag", shots, packed=True)
    assert depths(tmp_path / "bag") == (WHOLE, [])
