"""`build_class` with depth and mask networks, tiny and random, from arguments to a class file."""

import json
import re

import beast_folder
import beast_views
import builders
import depth_networks
import mask_networks
import numpy as np
import pytest
import verbs

from semcorr_ros.cli import build_class
from semcorr_ros.methods.semalign3d.class_file import read_class


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Eight beasts with pictures that show something, tiny networks under the manifest's names."""
    root = tmp_path_factory.mktemp("beasts")
    for picture in builders.pictures(8, seed=2, known_camera=False):
        places = picture.places.nan_to_num().numpy()
        beast_folder.write_picture(root, picture, np.clip(128 + 60 * places, 0, 255).astype(np.uint8))
        name = picture.sample.annotated.name
        depth = picture.sample.depth.values.numpy()
        disparity = np.where(depth > 0, 1 / np.maximum(depth, 0.1), 0)
        (root / "disparity").mkdir(exist_ok=True)
        np.save(root / "disparity" / f"{name}.npy", disparity)
    beast_folder.write_info(root)
    depth_networks.save_depth_anything(root / "weights" / "depth-anything-v2-large")
    mask_networks.save_sam(root / "weights" / "sam-vit-huge")
    return root


@pytest.fixture(autouse=True)
def only_these_weights(root, monkeypatch):
    monkeypatch.setenv("SEMCORR_WEIGHTS", str(root / "weights"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def build(root, tmp_path, *more):
    where = ["--dataset", "spair71k", "--root", root / "data", "--category", "beast", "--device", "cpu"]
    features = ["--backbone", "precomputed", "--features-dir", root / "features"]
    output = tmp_path / "beast.safetensors"
    given = [*where, *features, "--output", output, "--no-mirror", *more]
    assert verbs.run(build_class, *given) == 0
    return read_class(output), json.loads((tmp_path / "beast.json").read_text())


@pytest.mark.parametrize(
    "networks",
    [
        ("--depth", "depth_anything", "--depth-option", "side=70", "--masks", "sam", "--precision", "bf16"),
        ("--depth", "depth_pro", "--depth-option", "side=224", "--masks", "sam3", "annotation"),
    ],
)
def test_the_papers_command_runs_through(root, tmp_path, networks):
    if "depth_pro" in networks:  # only now: an older transformers has neither
        depth_networks.save_depth_pro(root / "weights" / "depth-pro")
        mask_networks.save_sam3(root / "weights" / "sam3")
    model, report = build(root, tmp_path, *networks)
    assert report["images"] == 8
    assert model.provenance["cameras"] == ("estimated with depth" if "depth_pro" in networks else "estimated")
    assert len(model.dense.weight) > 0
    assert report["peak_memory"]["process_bytes"] > 0
    depth, masks = model.provenance["depth"], model.provenance["masks"]
    if "depth_pro" in networks:
        assert re.fullmatch(r"depth_pro:[0-9a-f]{12} side=224", depth)
        assert re.fullmatch(r"sam3:[0-9a-f]{12}, annotation", masks)
    else:
        assert re.fullmatch(r"depth_anything:[0-9a-f]{12} side=70", depth)
        assert re.fullmatch(r"sam:[0-9a-f]{12}", masks)


def test_disparity_decoded_as_released_still_gives_the_shape(root, tmp_path):
    given = (
        "--depth-dir",
        root / "disparity",
        "--depth-kind",
        "disparity",
        "--depth-option",
        "decode=release",
    )
    model, _ = build(root, tmp_path, *given, "--masks", "annotation")
    assert model.provenance["depth"] == "precomputed decode=release kind=disparity"
    annotated = model.annotated
    error = beast_views.shape_error(model.sparse[annotated], beast_views.mean_keypoints()[annotated])
    assert error < 0.1
