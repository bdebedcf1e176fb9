"""`weights list|fetch|check` as a user types them, against a server on this machine."""

import json

import pytest
from hub_server import serve

from semcorr_ros.__main__ import main
from semcorr_ros.weights import _download, _manifest


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("SEMCORR_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))


def test_list_names_licences_and_what_is_here(tmp_path, capsys):
    (tmp_path / "weights" / "sam-vit-base").mkdir(parents=True)
    assert main(["weights", "list", "--json", str(tmp_path / "list.json")]) == 0
    shown = capsys.readouterr().out
    assert "depth-anything-v2-metric-outdoor-small" in shown
    assert "its owners look at every request" in " ".join(shown.split())
    content = json.loads((tmp_path / "list.json").read_text())
    assert content["sam3"]["gated"] is True
    assert content["sam3"]["folder"] is None
    assert content["sam-vit-base"]["folder"].endswith("sam-vit-base")


def test_fetch_and_check(tmp_path, monkeypatch, capsys):
    content = bytes(range(256)) * 100
    facts = _manifest.FileFacts(bytes=len(content))
    entry = _manifest.Model(
        "mine", "github", "a/b", "c" * 40, "MIT", False, len(content), {"d/best.pth": facts}, "Careful."
    )
    monkeypatch.setattr(_manifest, "models", lambda: {"mine": entry})
    with serve({"d/best.pth": content}) as (url, _):
        monkeypatch.setattr(_download, "GITHUB", url)
        assert main(["weights", "fetch", "mine"]) == 0
    shown = capsys.readouterr().out
    assert "a/b at " + "c" * 40 in shown
    assert "mine: Careful." in shown
    assert main(["weights", "check", "mine", "--json", str(tmp_path / "check.json")]) == 0
    assert json.loads((tmp_path / "check.json").read_text())["mine"]["ok"] is True
    (tmp_path / "weights" / "mine" / "best.pth").write_bytes(content[:-1])
    assert main(["weights", "check", "mine"]) == 1
    assert "25599 bytes, expected 25600" in capsys.readouterr().out


def test_mistakes_are_one_line(capsys):
    assert main(["weights", "fetch", "dinov2-base", "dino9"]) == 2
    assert "no model 'dino9' in the weights manifest" in capsys.readouterr().err
    assert main(["weights", "check", "sam3"]) == 2
    assert "fetch sam3" in capsys.readouterr().err


def test_offline(monkeypatch, capsys):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert main(["weights", "fetch", "dinov2-base"]) == 2
    assert "offline" in capsys.readouterr().err
