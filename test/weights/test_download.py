"""Real downloads from a server on this machine: complete, interrupted, refused, damaged, offline."""

import dataclasses
import hashlib

import pytest
import torch
from hub_server import serve
from safetensors.torch import save

from semcorr_ros import weights
from semcorr_ros.weights import _download
from semcorr_ros.weights._manifest import FileFacts

FILES = {
    "config.json": b"{}",
    "model.safetensors": save({"weight": torch.arange(40000.0)}),
    "other.bin": b"x",
}
CHECKPOINT = bytes(range(256)) * 2000


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.delenv("SEMCORR_WEIGHTS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))


def _hub_at(url, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", url)
    template = url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    # Before version 1 a copy of it was used.
    copied = "huggingface_hub.file_download.HUGGINGFACE_CO_URL_TEMPLATE"
    monkeypatch.setattr(copied, template, raising=False)


@pytest.fixture
def hub(monkeypatch):
    with serve(FILES) as (url, log):
        _hub_at(url, monkeypatch)
        yield log


def test_hub_model_into_a_folder_is_found_there_and_checked_by_its_hash(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("SEMCORR_WEIGHTS", str(tmp_path / "mine"))
    entry = weights.model("dinov2-base")
    folder = weights.download(entry, None)
    assert folder == tmp_path / "mine" / "dinov2-base"
    assert weights.find("dinov2-base") == folder
    assert not (folder / "other.bin").exists()
    assert any(entry.revision in line for line in hub)
    plain = dataclasses.replace(entry, files=dict.fromkeys(entry.files, FileFacts()))
    reports = {report.path: report for report in weights.check(plain, folder)}
    assert reports["model.safetensors"].checked == "sha256"
    assert not any(report.problem for report in reports.values())


def test_hub_model_into_the_cache(hub):
    folder = weights.download(dataclasses.replace(weights.model("dinov2-base"), revision="main"), None)
    assert (folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]
    before = len(hub)
    weights.download(dataclasses.replace(weights.model("dinov2-base"), revision="main"), None)
    assert not any(line.startswith("GET") and "resolve" in line for line in hub[before:])


def test_gated_model_says_what_to_do(monkeypatch, tmp_path):
    with serve(FILES, gated=True) as (url, _):
        _hub_at(url, monkeypatch)
        with pytest.raises(
            OSError, match=r"facebook/sam3 \(SAM License\) is gated.*owners look at .*hf auth login"
        ):
            weights.download(weights.model("sam3"), tmp_path / "sam3")


def test_offline_is_refused_before_anything_is_asked(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in ("dinov2-base", "geoaware-dino"):
        with pytest.raises(OSError, match=rf"offline.*{name}"):
            weights.download(weights.model(name), tmp_path / name)


def _single_file(entry=None):
    facts = FileFacts(bytes=len(CHECKPOINT), sha256=hashlib.sha256(CHECKPOINT).hexdigest())
    entry = entry or weights.model("geoaware-dino")
    return dataclasses.replace(entry, files={"ckpts/best.pth": facts})


def test_interrupted_download_goes_on_where_it_was(monkeypatch):
    entry, steps = _single_file(), []
    with serve({"ckpts/best.pth": CHECKPOINT}, cut_after=300_000) as (url, log):
        monkeypatch.setattr(_download, "GITHUB", url)
        with pytest.raises(OSError, match="what has arrived is kept"):
            weights.download(entry, None)
        folder = weights.download(entry, None, lambda done, total: steps.append((done, total)))
    assert "from 300000" in log
    assert steps[-1] == (len(CHECKPOINT), len(CHECKPOINT))
    assert weights.find("geoaware-dino").read_bytes() == CHECKPOINT
    assert [(r.checked, r.problem) for r in weights.check(entry, folder)] == [("sha256", "")]
    assert not list(folder.glob("*.part"))


def test_unreachable_server_and_absent_file(monkeypatch, tmp_path):
    with serve({}) as (url, _):
        monkeypatch.setattr(_download, "GITHUB", url)
        with pytest.raises(OSError, match=r"the server answered 404"):
            weights.download(_single_file(), tmp_path)
    with pytest.raises(OSError, match="cannot be reached"):
        weights.download(_single_file(), tmp_path)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (FILES["model.safetensors"][:-5], "its header says"),
        (FILES["model.safetensors"] + b"?", "its header says"),
        (FILES["model.safetensors"][:20], "cut off in its header"),
        (b"<html>" * 100, "not a safetensors file"),
        (b"", "not a safetensors file"),
    ],
)
def test_damage_is_found_without_a_hash(tmp_path, content, problem):
    entry = dataclasses.replace(weights.model("dinov2-base"), files={"model.safetensors": FileFacts()})
    (tmp_path / "model.safetensors").write_bytes(content)
    (report,) = weights.check(entry, tmp_path)
    assert problem in report.problem


def test_damage_is_found_by_size_and_hash(tmp_path):
    entry = _single_file()
    (tmp_path / "best.pth").write_bytes(CHECKPOINT[:-1])
    assert "expected 512000" in weights.check(entry, tmp_path)[0].problem
    (tmp_path / "best.pth").write_bytes(b"?" + CHECKPOINT[1:])
    assert "its hash is" in weights.check(entry, tmp_path)[0].problem
    by_git = hashlib.sha1(b"blob 512000\0" + CHECKPOINT, usedforsecurity=False).hexdigest()
    git = dataclasses.replace(entry, files={"ckpts/best.pth": FileFacts(git_sha1=by_git)})
    assert "its hash is" in weights.check(git, tmp_path)[0].problem
    (tmp_path / "best.pth").write_bytes(CHECKPOINT)
    assert weights.check(git, tmp_path)[0].problem == ""
