"""`evaluate` with the networks of the published tables, tiny and random, from arguments to numbers."""

import json

import diffusion_folders
import pytest
import spair_folder
import torch
import transformer_folders
import verbs

from semcorr_ros.cli import evaluate
from semcorr_ros.features._aggregation import AggregationNetwork


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    diffusion_folders.save_diffusion(folder / "sd")
    transformer_folders.save_transformer(folder / "dino", "dinov2")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        torch.save(AggregationNetwork((16, 32, 32, 32), 32, 32).state_dict(), folder / "full.pth")
    spair_folder.write_folder(folder / "data", images=5, seed=1)
    return folder


def run(folder, backbone, *more, **options):
    out = folder / "out.json"
    options = {"diffusion_weights": folder / "sd", "dino_weights": folder / "dino", "side": 128} | options
    given = ["--dataset", "spair71k", "--root", folder / "data", "--category", "chair", "--json", out]
    given += ["--method", "window_soft_argmax", "--backbone", backbone, "--threads", "1", *more]
    for key, value in options.items():
        given += ["--backbone-option", f"{key}={value}"]
    assert verbs.run(evaluate, *given) == 0
    return json.loads(out.read_text())


def test_geoaware_reads_its_adapter_and_its_features_are_cached(folder):
    given = ("geoaware", "--weights", folder / "full.pth", "--feature-cache", folder / "cache")
    plain = run(folder, *given)
    assert (plain["pairs"], plain["skipped"]) == (6, [])
    assert len(list((folder / "cache").rglob("*.safetensors"))) == 3
    flipped = run(folder, *given, "--adaptive-flip")
    assert flipped["pairs"] == 6
    assert len(list((folder / "cache").rglob("*.safetensors"))) == 6, "mirrored images too"


def test_sd_dino_reduces_each_pair(folder):
    assert run(folder, "sd_dino", reduction="pair", prompt="a photo of a {category}")["pairs"] == 6
    with pytest.raises(ValueError, match="cannot be cached"):
        run(folder, "sd_dino", "--feature-cache", folder / "cache", reduction="pair")


def test_an_adapter_is_no_option(folder):
    with pytest.raises(ValueError, match="--weights means nothing to the features plug-in 'sd_dino'"):
        run(folder, "sd_dino", "--weights", folder / "sd")
