"""The commands of docs/backbones.md, from weights in the hub's layout to numbers; tiny random networks."""

import json
import re

import beast_folder
import builders
import depth_networks
import diffusion_folders
import mask_networks
import numpy as np
import pytest
import spair_folder
import torch
import transformer_folders

from semcorr_ros.__main__ import main
from semcorr_ros.features._aggregation import AggregationNetwork
from semcorr_ros.methods.semalign3d.class_file import read_class

TRAINING = 8
SMALL = ("--backbone-option", "side=128", "--depth-option", "side=70", "--device", "cpu", "--threads", "1")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Eleven pictures of beasts, colored by place, and the weights under the manifest's names."""
    root = tmp_path_factory.mktemp("published")
    names, ends = [], {}
    for picture in builders.pictures(TRAINING + 3, seed=2, known_camera=False):
        places = picture.places.nan_to_num().numpy()
        beast_folder.write_picture(root, picture, np.clip(128 + 60 * places, 0, 255).astype(np.uint8))
        sample = picture.sample.annotated
        ends[sample.name] = np.where(sample.visible[:, None], sample.keypoints.numpy(), np.nan)
        names.append(sample.name)
    a, b, c = names[TRAINING:]
    for i, (source, target) in enumerate([(a, b), (b, c), (c, a)]):
        content = spair_folder.pair_annotation("beast", (source, target), [ends[source], ends[target]])
        name = f"{i:06d}-{source}-{target}:beast.json"
        spair_folder.write(root / "data/PairAnnotation/test" / name, content)
    beast_folder.write_info(root)
    (root / "fast.yaml").write_text("optimize: {steps: 20}\n")
    weights = root / "weights"
    depth_networks.save_depth_anything(weights / "depth-anything-v2-large")
    mask_networks.save_sam(weights / "sam-vit-huge")
    diffusion_folders.save_diffusion(weights / "stable-diffusion-1-5")
    (weights / "stable-diffusion-1-5" / "model_index.json").write_text("{}")
    transformer_folders.save_transformer(weights / "dinov2-base", "dinov2")
    (weights / "geoaware-sd-dino").mkdir()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        adapter = AggregationNetwork((16, 32, 32, 32), 32, 32).state_dict()
    torch.save(adapter, weights / "geoaware-sd-dino" / "best_856.PTH")
    return root


@pytest.fixture(autouse=True)
def only_these_weights(root, monkeypatch):
    monkeypatch.setenv("SEMCORR_WEIGHTS", str(root / "weights"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def run(*arguments) -> None:
    assert main([str(argument) for argument in arguments]) == 0


def test_from_weights_to_the_numbers_of_a_table(root, tmp_path, capsys):
    models = ("--backbone", "geoaware", "--depth", "depth_anything", "--masks", "sam", "--precision", "bf16")
    models += ("--feature-cache", root / "cache", *SMALL)
    data = ("--dataset", "spair71k", "--root", root / "data")
    data += ("--category", "beast")
    run("build_class", *data, *models, "--output", tmp_path / "beast.safetensors")
    model = read_class(tmp_path / "beast.safetensors")
    report = json.loads((tmp_path / "beast.json").read_text())
    assert report["images"] == TRAINING
    assert report["peak_memory"]["process_bytes"] > 0
    assert model.backbone.startswith("geoaware:")
    assert re.fullmatch(r"depth_anything:[0-9a-f]{12} side=70", model.provenance["depth"])
    assert re.fullmatch(r"sam:[0-9a-f]{12}", model.provenance["masks"])
    run("inspect_class", tmp_path / "beast.safetensors")
    assert "depth_anything:" in capsys.readouterr().out

    kinds = {path.parents[1].name.partition("-")[0] for path in (root / "cache").rglob("*.safetensors")}
    assert kinds == {"geoaware", "depth_anything", "sam"}
    given = (*data, *models, "--class-dir", tmp_path, "--alignment", root / "fast.yaml")
    methods = ("--method", "window_soft_argmax", "--method", "aligned", "--kap-grid", "letterbox")
    run("evaluate", *given, *methods, "--json", tmp_path / "a.json", "--markdown", tmp_path / "a.md")
    results = json.loads((tmp_path / "a.json").read_text())
    assert [(row["method"], row["pairs"], row["skipped"]) for row in results] == [
        ("window_soft_argmax", 3, []),
        ("aligned", 3, []),
    ]
    known = {path: path.stat().st_size for path in (root / "cache").rglob("*.safetensors")}
    again = ("--json", tmp_path / "b.json", "--without", "depth")
    run("evaluate", *given, *again)
    assert {path: path.stat().st_size for path in (root / "cache").rglob("*.safetensors")} == known

    picture = next((root / "data/JPEGImages/beast").glob("*.jpg"))
    alone = ("--backbone", "geoaware", "--depth-network", "depth_anything", "--masks", "sam", *SMALL)
    run("align", "--image", picture, "--class-file", tmp_path / "beast.safetensors", *alone,
        "--alignment", root / "fast.yaml", "--json", tmp_path / "c.json")  # fmt: skip
    found = json.loads((tmp_path / "c.json").read_text())
    assert len(found["keypoints"]) == int(model.annotated.sum())
    assert not found["metric"]
