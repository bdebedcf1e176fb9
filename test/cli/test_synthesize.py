"""The verb: options, reports, exit codes."""

import json

import pytest
from PIL import Image

pytest.importorskip("embreex")

import verbs

from semcorr_lab.cli import synthesize


def run(*words):
    return verbs.run(synthesize, *words)


SMALL = [
    "--categories",
    "mug",
    "--images-trn",
    "2",
    "--images-val",
    "1",
    "--images-test",
    "2",
    "--size",
    "64x48",
    "--workers",
    "1",
]


def test_writes_data_sheet_and_report(tmp_path, capsys):
    words = ["--output", tmp_path / "d", "--contact-sheet", tmp_path / "s.png", "--sheet-images", 2]
    assert run(*words, "--json", tmp_path / "r.json", *SMALL) == 0
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["rendered"] == 5
    assert report["skipped"] == []
    assert json.loads(capsys.readouterr().out) == report
    assert len(list((tmp_path / "d/JPEGImages/mug").glob("*.jpg"))) == 5
    with Image.open(tmp_path / "s.png") as sheet:
        assert sheet.width > 800
    assert run("--output", tmp_path / "d", *SMALL) == 0
    assert json.loads(capsys.readouterr().out)["reused"] == 5


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "--output"),
        (["--output", "x", "--categories", "sofa"], "unknown category 'sofa'; choose from aeroplane"),
        (["--meshes", "nowhere", "--output", "x"], "nowhere"),
    ],
)
def test_wrong_input_is_named(words, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(*words) == 2
    assert message in capsys.readouterr().err


def test_wrong_size_is_a_usage_error():
    with pytest.raises(ValueError, match=r"--size must be WxH like 640x480.*got '640'"):
        run("--output", "x", "--size", "640")
    with pytest.raises(ValueError, match="--images-trn must be at least 0, got -1"):
        run("--output", "x", "--images-trn", "-1")
