"""Weights are found in a folder or the hub's cache, or an error says how to get them. No network."""

import dataclasses
import json
import re

import pytest

from semcorr_ros import weights
from semcorr_ros.weights import _locate
from semcorr_ros.weights._manifest import SOURCES, FileFacts

COMMIT = "f9e44c814b77203eaa57a6bdbbd535f21ede1415"


@pytest.fixture(autouse=True)
def nothing_found(tmp_path, monkeypatch):
    monkeypatch.delenv("SEMCORR_WEIGHTS", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))


def _fill(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}")
    return folder


def test_missing_weights_name_id_licence_size_and_command():
    with pytest.raises(weights.MissingWeights) as caught:
        weights.find("dinov3-vitb16")
    for part in (
        "facebook/dinov3-vitb16-pretrain-lvd1689m",
        "DINOv3 License",
        "343 MB",
        "gated: ask for access on its page",
        "its owners look at every request",
        "python -m semcorr_ros weights fetch dinov3-vitb16",
    ):
        assert part in str(caught.value)
    assert isinstance(caught.value, FileNotFoundError)


def test_unknown_name_lists_the_names():
    with pytest.raises(ValueError, match=r"no model 'dino9'.*dinov2-base.*sam3"):
        weights.find("dino9")


def test_override_is_taken_as_it_is_and_must_exist(tmp_path):
    folder = _fill(tmp_path / "mine", "config.json")
    assert weights.find("dinov2-base", folder) == folder
    with pytest.raises(weights.MissingWeights, match=r"nothing at .*absent.*fetch dinov2-base"):
        weights.find("dinov2-base", tmp_path / "absent")
    with pytest.raises(ValueError, match=r"config\.json is a file; dinov2-base is a folder"):
        weights.find("dinov2-base", folder / "config.json")


def test_folder_of_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMCORR_WEIGHTS", str(tmp_path))
    _fill(tmp_path / "dinov2-base", "config.json")
    with pytest.raises(weights.MissingWeights, match=r"dinov2-base lacks model\.safetensors"):
        weights.find("dinov2-base")
    _fill(tmp_path / "dinov2-base", "model.safetensors")
    assert weights.find("dinov2-base") == tmp_path / "dinov2-base"


def test_hub_cache_at_the_pinned_commit(tmp_path):
    snapshots = tmp_path / "cache" / "models--facebook--dinov2-base" / "snapshots"
    _fill(snapshots / "another-commit", "config.json", "model.safetensors")
    with pytest.raises(weights.MissingWeights):
        weights.find("dinov2-base")
    folder = _fill(snapshots / COMMIT, "config.json", "model.safetensors")
    assert weights.find("dinov2-base") == folder


def test_a_model_of_one_file_is_found_as_that_file(tmp_path, monkeypatch):
    _fill(tmp_path / "geoaware-dino", "best.pth")
    monkeypatch.setenv("SEMCORR_WEIGHTS", str(tmp_path))
    assert weights.find("geoaware-dino") == tmp_path / "geoaware-dino" / "best.pth"
    assert weights.find("geoaware-dino", tmp_path / "geoaware-dino").name == "best.pth"
    own = _fill(tmp_path / "mine", "adapter.safetensors") / "adapter.safetensors"
    assert weights.find("geoaware-dino", own) == own


def test_optional_files_may_be_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMCORR_WEIGHTS", str(tmp_path))
    folder = _fill(tmp_path / "sam3", "config.json", "model.safetensors", "tokenizer_config.json")
    with pytest.raises(weights.MissingWeights, match=r"lacks tokenizer\.json; *|lacks tokenizer\.json$"):
        weights.find("sam3")
    _fill(folder, "tokenizer.json")
    assert weights.find("sam3") == folder


def test_every_shard_that_the_index_names_must_be_there(tmp_path):
    facts = dict.fromkeys(("config.json", "model*.safetensors", _locate.INDEX), FileFacts())
    entry = dataclasses.replace(weights.model("dinov2-base"), files=facts)
    folder = _fill(tmp_path, "config.json", "model-00001-of-00002.safetensors")
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (folder / _locate.INDEX).write_text(json.dumps(index))
    assert _locate.missing_files(entry, folder) == ["model-00002-of-00002.safetensors"]
    _fill(folder, "model-00002-of-00002.safetensors")
    assert not _locate.missing_files(entry, folder)


def test_shards_of_known_hash_are_missed_one_by_one(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMCORR_WEIGHTS", str(tmp_path))
    entry = weights.model("dinov3-vit7b16")
    *most, last = entry.files
    _fill(tmp_path / entry.name, *most)
    (tmp_path / entry.name / _locate.INDEX).write_text(json.dumps({"weight_map": {}}))
    with pytest.raises(weights.MissingWeights, match=rf"lacks {last}"):
        weights.find(entry.name)
    _fill(tmp_path / entry.name, last)
    assert weights.find(entry.name) == tmp_path / entry.name


@pytest.mark.parametrize("name", list(weights.models()))
def test_every_entry_is_complete(name):
    entry = weights.model(name)
    assert entry.source in SOURCES
    assert entry.id.count("/") == (0 if entry.source == "package" else 1)
    assert entry.licence
    assert entry.bytes > 1e6
    assert entry.files
    assert entry.source == "package" or re.fullmatch(r"[0-9a-f]{40}", entry.revision), "pin a commit"
    for facts in entry.files.values():
        assert facts.sha256 is None or len(facts.sha256) == 64
    known = [facts.bytes for facts in entry.files.values()]
    assert None in known or sum(known) == entry.bytes
