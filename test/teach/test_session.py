"""A project survives reloads, kills and other programs; what cannot be is refused with a reason."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from semcorr_ros.artifacts import DepthMap, Frame
from semcorr_ros.datasets import folder
from semcorr_ros.geometry import cameras
from semcorr_ros.storage import read_json, write_json
from semcorr_ros.teach import actions
from semcorr_ros.teach.actions import Accept, AddKeypoint, Hide, Place, SetPairs, SwapSides
from semcorr_ros.teach.pictures import Shot, read_shot
from semcorr_ros.teach.session import Session, opened

SIZE = (48, 64)
NAMES = ("rim_left", "rim_right", "base")


def shot(seed: int = 0, depth: bool = False) -> Shot:
    pixels = torch.from_numpy(np.random.default_rng(seed).integers(0, 255, (*SIZE, 3), dtype=np.uint8))
    if not depth:
        return Shot(Frame(pixels))
    return Shot(Frame(pixels, cameras.centered(60.0, SIZE), DepthMap(torch.full(SIZE, 0.5), metric=True)))


@pytest.fixture
def project(tmp_path):
    with opened(tmp_path / "cup") as session:
        session.add(shot())
        for i, name in enumerate(NAMES):
            session.do(AddKeypoint(name, "0001", 10.0 + i, 20.0))
        yield session


def test_confirmed_pictures_are_a_folder_data_set(project):
    project.add(shot(1, depth=True))
    project.do(SetPairs((("rim_left", "rim_right"),)))
    assert not read_json(project.root / "keypoints.json")["images"]
    project.do(Accept("0001"))
    project.do(Accept("0002", {"rim_left": [1, 2], "rim_right": None, "base": [3.5, 4]}))
    found = folder.build(project.root)
    assert not found.problems()
    assert found.info("cup").flip == (1, 0, 2)
    first, second = found.images("cup", "trn")
    assert first.keypoints.tolist() == [[10, 20], [11, 20], [12, 20]]
    assert second.visible.tolist() == [True, False, True]
    assert second.camera.focal.tolist() == [60, 60]
    from semcorr_ros.depth import DEPTH

    measured = DEPTH.load("sensor").make({}, {}).depth(second)
    assert torch.allclose(measured.values, torch.tensor(0.5))


def test_an_action_is_on_disk_when_do_returns_and_kill_loses_nothing(tmp_path):
    code = (
        "import sys, os, signal; from pathlib import Path\n"
        "from semcorr_ros.teach.session import Session\nfrom semcorr_ros.teach.actions import AddKeypoint\n"
        "s = Session(Path(sys.argv[1]))\nfor i in range(40):\n    s.do(AddKeypoint(f'k{i}'))\n"
        "    print(i, flush=True)\n    if i == 17: os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(tmp_path / "cup")], capture_output=True, text=True)
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    with opened(tmp_path / "cup") as session:
        assert session.state.keypoints == tuple(f"k{i}" for i in range(18))


def test_half_a_line_at_the_end_is_cut_off_and_half_a_line_elsewhere_is_an_error(project):
    root, journal = project.root, project.work / "journal.jsonl"
    before = project.state
    project.close()
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"do": "Hide", "pict')
    with opened(root) as session:
        assert session.state == before
        session.do(Hide("0001", "base"))
    with opened(root) as session:
        assert session.state.pictures["0001"].marks["base"] is None
    lines = journal.read_bytes().splitlines()
    journal.write_bytes(b"\n".join([*lines[:2], b"{oops", *lines[2:], b""]))
    with pytest.raises(ValueError, match=r"journal\.jsonl, line 3: .*keypoints.json beside it"):
        Session(root)


def test_undo_and_redo_survive_a_reload(project):
    root = project.root
    project.do(Place("0001", "base", 30.0, 30.0))
    project.do(Hide("0001", "base"))
    project.undo()
    project.close()
    with opened(root) as session:
        assert session.state.pictures["0001"].marks["base"] == (30.0, 30.0)
        session.redo()
        assert session.state.pictures["0001"].marks["base"] is None
        for _ in range(6):
            session.undo()
        assert not session.state.pictures
        with pytest.raises(ValueError, match="nothing to undo"):
            session.undo()
        assert session.add(shot(2)) == "0002"  # the file of an undone picture is not written over


def test_a_full_disk_leaves_what_was_there(project, monkeypatch):
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    before = project.state
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            project.do(Hide("0001", "base"))
    assert project.state == before
    project.do(Hide("0001", "rim_left"))
    root = project.root
    project.close()
    with opened(root) as session:
        assert session.state.pictures["0001"].marks == {**before.pictures["0001"].marks, "rim_left": None}


def test_what_another_program_wrote_is_taken_over(project):
    root = project.root
    project.do(Accept("0001"))
    project.close()
    content = read_json(root / "keypoints.json")
    content["images"][0]["keypoints"]["base"] = [5, 6]
    content["categories"]["fork"] = {"keypoint_names": ["tip"]}
    write_json(root / "keypoints.json", content)
    with pytest.raises(ValueError, match="categories cup, fork: choose"):
        Session(root)
    with opened(root, "cup") as session:
        assert session.state.pictures["0001"].marks["base"] == (5.0, 6.0)
        session.do(Hide("0001", "base"))
        assert "fork" in read_json(root / "keypoints.json")["categories"]
        session.undo()
        session.undo()
        assert session.state.pictures["0001"].marks["base"] == (12.0, 20.0)


def test_swapping_sides_is_its_own_inverse(project):
    with pytest.raises(ValueError, match="set pairs first"):
        project.do(SwapSides("0001"))
    project.do(SetPairs((("rim_left", "rim_right"),)))
    before = project.state.pictures["0001"].marks
    project.do(SwapSides("0001"))
    assert project.state.pictures["0001"].marks["rim_left"] == before["rim_right"]
    project.do(SwapSides("0001"))
    assert project.state.pictures["0001"].marks == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "'do' must be one of AddPicture"),
        ({"do": "Place", "picture": "0001"}, "keypoint, x, y must be given"),
        ({"do": "Place", "picture": "0009", "keypoint": "base", "x": 1, "y": 1}, "no picture '0009'"),
        ({"do": "Place", "picture": "0001", "keypoint": "nose", "x": 1, "y": 1}, "no keypoint 'nose'"),
        ({"do": "Place", "picture": "0001", "keypoint": "base", "x": 64, "y": 1}, "outside the 64x48"),
        ({"do": "Place", "picture": "0001", "keypoint": "base", "x": "1", "y": 1}, "expected float"),
        ({"do": "AddKeypoint", "name": "base"}, "a keypoint 'base' already"),
        ({"do": "AddKeypoint", "name": "a/b"}, "without slashes"),
        ({"do": "AddKeypoint", "name": "a", "colour": 1}, "unknown key 'colour'"),
        ({"do": "SetPairs", "pairs": [["base", "base"]]}, "two different"),
        ({"do": "Accept", "picture": "0001", "marks": {"base": "here"}}, r"\[x, y\] or null"),
    ],
)
def test_what_cannot_be_done_is_refused_and_leaves_no_trace(project, content, message):
    kept = (project.work / "journal.jsonl").read_bytes()
    with pytest.raises(ValueError, match=message):
        project.do(actions.read(content))
    assert (project.work / "journal.jsonl").read_bytes() == kept


def test_every_action_comes_back_from_json_as_it_was(project):
    for action in project._journal.actions:
        assert actions.read(json.loads(json.dumps(actions.write(action)))) == action


def test_nobody_else_has_it_open_and_nothing_leads_out_of_it(project):
    with pytest.raises(ValueError, match="open in another process"):
        Session(project.root)
    for path in ("../secret", "/etc/passwd", ""):
        with pytest.raises(ValueError, match="not in the project"):
            project.path(path)
    (project.root / "link").symlink_to("/etc")
    with pytest.raises(ValueError, match="not in the project"):
        project.path("link/passwd")


@pytest.mark.parametrize("data", [b"GIF89a", b""])
def test_a_broken_picture_is_named(data):
    with pytest.raises(ValueError, match=r"a\.jpg is not a readable"):
        read_shot(data, "a.jpg")


def test_a_picture_is_kept_byte_by_byte_under_a_name_of_its_own(project, tmp_path):
    whole = next((project.root / "images").glob("0001*")).read_bytes()
    first = project.add(read_shot(whole, "../../my cup.jpeg"))
    second = project.add(read_shot(whole, "my cup.jpeg"))
    assert (first, second) == ("my_cup", "my_cup_1")
    assert Path(project.root / "images/my_cup.jpg").read_bytes() == whole
    with pytest.raises(ValueError, match=r"broken\.jpg"):
        read_shot(whole[: len(whole) // 2], "broken.jpg")
