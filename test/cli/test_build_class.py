import json
import shutil

import beast_folder
import builders
import numpy as np
import pytest
import spair_folder
from PIL import Image
from verbs import run

from semcorr_ros.cli import build_class, inspect_class
from semcorr_ros.methods.semalign3d.class_file import read_class


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Twelve beasts as a foreign SPair-layout folder: no cameras, features and depth elsewhere."""
    root = tmp_path_factory.mktemp("beasts")
    for picture in builders.pictures(12, seed=2, known_camera=False):
        beast_folder.write_picture(root, picture)
    beast_folder.write_info(root)
    return root


def arguments(root, output, *more):
    where = ["--dataset", "spair71k", "--root", root / "data", "--category", "beast", "--device", "cpu"]
    features = ["--backbone", "precomputed", "--features-dir", root / "features"]
    depth = ["--depth", "precomputed", "--depth-dir", root / "depth"]
    return [*where, *features, *depth, "--output", output, *more]


def test_the_documented_command_writes_class_report_and_picture(root, tmp_path, capsys):
    output = tmp_path / "beast.safetensors"
    assert run(build_class, *arguments(root, output, "--json", tmp_path / "report.json")) == 0
    model = read_class(output)
    assert model.info.keypoint_names == builders.BEAST.keypoint_names
    assert model.backbone.startswith("precomputed")
    assert model.annotated.sum() >= 9
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["images"] == 12
    assert len(report["focal_lengths"]) == 12
    assert report["seconds"]["total"] > 0
    assert report["class_file"]["bytes"] == output.stat().st_size
    with Image.open(tmp_path / "beast.png") as picture:
        assert np.asarray(picture).std() > 5
    assert "12 images" in capsys.readouterr().out


def test_the_same_seed_gives_the_same_bytes(root, tmp_path):
    for name in ("a", "b"):
        run(
            build_class,
            *arguments(root, tmp_path / name / "beast.safetensors", "--max-images", 5, "--seed", 3),
        )
    first, second = ((tmp_path / name / "beast.safetensors").read_bytes() for name in ("a", "b"))
    assert first == second


def test_all_categories_go_side_by_side_and_a_bad_one_is_named(root, tmp_path, capsys):
    data = tmp_path / "data"
    shutil.copytree(root / "data", data)
    for folder in ("JPEGImages", "ImageAnnotation", "Segmentation"):
        shutil.copytree(data / folder / "beast", data / folder / "fiend")
    known = json.loads((data / "classes.json").read_text())
    for path in (data / "ImageAnnotation" / "fiend").glob("*.json"):
        path.write_text(path.read_text().replace('"beast"', '"fiend"'))
    spair_folder.write(
        data / "classes.json", known | {"fiend": known["beast"] | {"keypoint_names": ["nose"]}}
    )
    features, depth = ["--features-dir", root / "features"], ["--depth-dir", root / "depth"]
    classes = ["--all-categories", "--class-dir", tmp_path / "classes", "--workers", "2"]
    given = ["--root", data, *features, *depth, *classes, "--max-images", "8"]
    assert run(build_class, *given) == 1
    assert read_class(tmp_path / "classes" / "beast.safetensors").info.name == "beast"
    assert not (tmp_path / "classes" / "fiend.safetensors").exists()
    assert "fiend: not built," in capsys.readouterr().out
    assert run(build_class, *given) == 1
    assert "beast.safetensors: is there already" in capsys.readouterr().out


def test_missing_and_corrupt_files_are_skipped_and_named(root, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    (copy / "depth" / "beast_000.npy").unlink()
    (copy / "features" / "beast_001.npz").write_bytes(b"nonsense")
    (copy / "data" / "JPEGImages" / "beast" / "beast_002.jpg").write_bytes(b"nonsense")
    run(build_class, *arguments(copy, tmp_path / "beast.safetensors"))
    report = json.loads((tmp_path / "beast.json").read_text())
    named = " ".join(entry["name"] for entry in report["skipped"]) + " ".join(report["dataset_problems"])
    for stem in ("beast_000", "beast_001", "beast_002"):
        assert stem in named
    assert report["images"] == 9


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--category", "kettle"], "kettle"),
        (["--depth", "none"], "needs depth"),
        (["--max-images", "0"], "--max-images"),
        (["--output", "beast.pt"], r"\.safetensors"),
        (["--split", "test"], "no images"),
    ],
)
def test_wrong_input_is_an_error_that_says_what(root, tmp_path, more, message):
    given = arguments(root, tmp_path / "beast.safetensors", *more)
    if "none" in more:
        given = [a for a in given if a not in ("--depth-dir", root / "depth")]
    with pytest.raises(ValueError, match=message):
        run(build_class, *given)


def test_constants_come_from_yaml_and_unknown_ones_are_named(root, tmp_path):
    (tmp_path / "few.yaml").write_text("dense_points: 50\nmirror: false\n")
    run(build_class, *arguments(root, tmp_path / "beast.safetensors", "--config", tmp_path / "few.yaml"))
    report = json.loads((tmp_path / "beast.json").read_text())
    assert report["dense"]["points"] <= 50
    assert report["views"] == 12
    (tmp_path / "wrong.yaml").write_text("points: 50\n")
    with pytest.raises(ValueError, match="dense_points"):
        run(build_class, *arguments(root, tmp_path / "x.safetensors", "--config", tmp_path / "wrong.yaml"))


def test_inspect_prints_the_keypoints_and_writes_json_and_picture(root, tmp_path, capsys):
    output = tmp_path / "beast.safetensors"
    run(build_class, *arguments(root, output, "--max-images", 6))
    capsys.readouterr()
    json_file, picture = tmp_path / "i.json", tmp_path / "i.png"
    assert run(inspect_class, output, "--json", json_file, "--picture", picture) == 0
    printed = capsys.readouterr().out
    assert "nose" in printed
    assert "spair71k" in printed
    content = json.loads(json_file.read_text())
    assert len(content["keypoints"]) == 11
    assert content["bytes"] == output.stat().st_size
    assert picture.stat().st_size > 1000
    (tmp_path / "bad.safetensors").write_bytes(output.read_bytes()[:100])
    with pytest.raises(ValueError, match="damaged"):
        run(inspect_class, tmp_path / "bad.safetensors")
