"""train_sphere on a few rendered pictures with `tiny`, and its files in evaluate, transfer and the Finder."""

import json
import shutil

import pytest
import torch
from verbs import run

from semcorr_lab.synthetic.dataset import DatasetConfig, make_dataset
from semcorr_lab.synthetic.source import ProceduralSource
from semcorr_ros import methods
from semcorr_ros.cli import evaluate, train_sphere, transfer
from semcorr_ros.methods.spherical.class_file import read_classes
from semcorr_ros.storage import read_image, read_json, write_json

CATEGORIES = ("car", "mug")
SMALL = ("--backbone", "tiny", "--threads", 1, "--steps", 8, "--batch", 4, "--crops", 2, "--grid", 8)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rendered")
    made = DatasetConfig(images=(4, 0, 2), pairs=(0, 0, 2), seed=77)
    make_dataset(folder, ProceduralSource(CATEGORIES), made, 1, lambda: None)
    return folder


def arguments(root, output, *more):
    return ["--root", root, "--output", output, *SMALL, *more]


@pytest.fixture(scope="module")
def trained(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    given = arguments(root, folder / "sphere.safetensors", "--category", "car", "mug")
    assert run(train_sphere, *given, "--split-dir", folder / "classes", "--json", folder / "r.json") == 0
    return folder


def test_it_writes_classes_report_and_pictures(trained):
    classes = read_classes(trained / "sphere.safetensors")
    assert classes.names == CATEGORIES
    report = read_json(trained / "r.json")
    assert report["categories"]["car"]["pictures"] == 4
    assert sum(report["categories"]["mug"]["viewpoints"]) == 4
    assert report["losses"][-1]["step"] == 8
    assert report["losses"][-1]["held_out_total"] > 0
    assert classes.provenance["viewpoints"] == "annotation"
    maps = read_image(trained / "sphere.png")
    assert maps.shape[0] == 4 * 160, "two lines per category"
    assert maps.float().std() > 20
    assert read_image(trained / "sphere.losses.png").float().std() > 5
    for name in CATEGORIES:
        assert methods.load(trained / "classes" / f"{name}.safetensors").info.name == name


def test_the_same_seed_gives_the_same_file(root, trained, tmp_path):
    output = tmp_path / "sphere.safetensors"
    assert run(train_sphere, *arguments(root, output, "--category", "car", "mug")) == 0
    assert output.read_bytes() == (trained / "sphere.safetensors").read_bytes()


def test_encoded_crops_are_kept(root, tmp_path, monkeypatch):
    given = arguments(root, tmp_path / "a.safetensors", "--category", "mug", "--work", tmp_path / "work")
    assert run(train_sphere, *given) == 0
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "work/crops").rglob("*.safetensors")}
    assert len(kept) == 8
    (tmp_path / "work/checkpoint.safetensors").unlink()
    assert run(train_sphere, *given) == 0
    assert kept == {path: path.stat().st_mtime_ns for path in kept}


def test_evaluate_takes_the_file_and_every_category_of_it(root, trained, tmp_path):
    given = [
        "--root",
        root,
        "--class-file",
        trained / "sphere.safetensors",
        "--threads",
        1,
        "--json",
        tmp_path / "e.json",
    ]
    assert run(evaluate, *given, "--all-categories", "--method", "spherical") == 0
    found = json.loads((tmp_path / "e.json").read_text())
    assert [one["category"] for one in found["results"]] == list(CATEGORIES)
    for one in found["results"]:
        assert (one["method"], one["pairs"]) == ("spherical", 2)
        assert 0 <= one["kap"]["0.1"] <= 1


def test_evaluate_maps_a_category_that_the_mapper_never_saw(root, tmp_path):
    output = tmp_path / "car.safetensors"
    assert run(train_sphere, *arguments(root, output, "--category", "car")) == 0
    given = ["--root", root, "--category", "mug", "--class-file", output, "--method", "spherical"]
    assert run(evaluate, *given, "--threads", 1, "--json", tmp_path / "e.json") == 0


def test_transfer_carries_points_and_keypoints(root, trained, tmp_path):
    pictures = sorted((root / "JPEGImages/mug").glob("*.jpg"))
    common = ["--class-file", trained / "classes/mug.safetensors", "--threads", 1, "--min-score", 0.0]
    common += ["--source", pictures[0], "--target", pictures[1], "--json", tmp_path / "t.json"]
    assert run(transfer, *common, "--points", "100,80", "--output", tmp_path / "t.png") == 0
    (point,) = read_json(tmp_path / "t.json")["targets"][0]["points"]
    assert point["state"] == "VISIBLE"
    assert run(transfer, *common, "--keypoints", "all") == 0
    points = read_json(tmp_path / "t.json")["targets"][0]["points"]
    assert len(points) == len(methods.load(trained / "classes/mug.safetensors").known)


def test_viewpoints_of_cameras_are_finer_and_their_absence_is_said(root, tmp_path):
    given = arguments(root, tmp_path / "a.safetensors", "--category", "mug")
    assert run(train_sphere, *given, "--viewpoints", "cameras") == 0
    with pytest.raises(ValueError, match=r"no picture of 'mug' has a viewpoint \(--viewpoints cameras\)"):
        run(train_sphere, *given, "--viewpoints", "cameras", "--cameras-dir", tmp_path / "nowhere")
    with pytest.raises(ValueError, match="needs --class-dir"):
        run(train_sphere, *given, "--viewpoints", "class")


def test_a_class_without_viewpoints_is_told_what_to_do(root, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    for path in (copy / "ImageAnnotation/mug").glob("*.json"):
        content = read_json(path)
        del content["azimuth_id"]
        write_json(path, content)
    given = arguments(copy, tmp_path / "a.safetensors", "--category", "mug")
    with pytest.raises(ValueError, match=r"no picture of 'mug' has a viewpoint .* none does without"):
        run(train_sphere, *given)
    assert run(train_sphere, *given, "--viewpoints", "none") == 0


def test_pictures_with_empty_masks_are_named_and_too_few_are_refused(root, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    masks = sorted((copy / "Segmentation/mug").glob("*.png"))
    trn = [path for path in masks if "trn" in path.stem] or masks
    black = torch.zeros(4, 4, dtype=torch.uint8).numpy()
    from PIL import Image

    for path in trn:
        Image.fromarray(black).resize(Image.open(path).size).save(path)
    given = arguments(copy, tmp_path / "a.safetensors", "--category", "mug", "--masks", "annotation")
    with pytest.raises(ValueError, match=r"'mug' has \d usable pictures .* at least 2 are needed; mug/"):
        run(train_sphere, *given)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--category", "horse"), "no category 'horse'; it has car, mug"),
        (("--category", "mug", "--max-images", 1), "1 usable pictures"),
        (("--category", "mug", "--output", "x.pth"), r"must end in \.safetensors"),
        (("--category", "mug", "--published", "nothing.pth"), r"no checkpoint nothing\.pth"),
    ],
)
def test_what_cannot_work_is_said_in_a_sentence(root, tmp_path, more, said):
    given = ["--root", root, *SMALL]
    if "--output" not in more:
        given += ["--output", tmp_path / "a.safetensors"]
    with pytest.raises((ValueError, FileNotFoundError), match=said):
        run(train_sphere, *given, *more)


def test_a_published_checkpoint_of_another_backbone_is_named(root, tmp_path):
    from methods.spherical.test_networks import checkpoint

    checkpoint(tmp_path / "200.pth")
    given = arguments(
        root, tmp_path / "a.safetensors", "--category", "mug", "--published", tmp_path / "200.pth"
    )
    with pytest.raises(ValueError, match=r"128 channels, tiny:\w+ has 64: use --backbone dinov2"):
        run(train_sphere, *given)
