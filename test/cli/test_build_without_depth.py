"""A class from pictures and keypoints alone: no depth, no masks, no cameras, no --depth."""

import json

import numpy as np
import pytest
import verbs
from spair_folder import save_image

from benchmark.structure.views import scene
from semcorr_ros.__main__ import main
from semcorr_ros.cli import build_class, evaluate
from semcorr_ros.methods.semalign3d.building import describe_build
from semcorr_ros.methods.semalign3d.building.recognition import Recognition
from semcorr_ros.methods.semalign3d.class_file import read_class

COUNT = 8


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Noise with keypoints: what the pictures show does not matter here."""
    folder = tmp_path_factory.mktemp("chairs")
    truth, rng = scene("chair", COUNT, 1), np.random.default_rng(0)
    images = []
    for image in truth.images:
        h, w = image.size
        save_image(folder / "images" / f"{image.name}.png", rng.integers(0, 255, (h, w, 3)).astype(np.uint8))
        points = {
            name: image.keypoints[k].tolist() if image.visible[k] else None
            for k, name in enumerate(truth.info.keypoint_names)
        }
        images.append({"file": f"images/{image.name}.png", "category": "chair", "keypoints": points})
    entry = {"keypoint_names": list(truth.info.keypoint_names), "flip": list(truth.info.flip)}
    (folder / "keypoints.json").write_text(json.dumps({"categories": {"chair": entry}, "images": images}))
    return folder


def arguments(root, *more):
    given = ["--dataset", "folder", "--root", root, "--category", "chair", "--backbone", "tiny"]
    return [str(part) for part in (*given, "--device", "cpu", "--threads", "1", *more)]


def test_a_class_is_built_and_says_what_it_lacks(root, tmp_path, capsys):
    path = tmp_path / "chair.safetensors"
    assert main(["build_class", *arguments(root, "--output", path)]) == 0
    said, report = capsys.readouterr().out, json.loads(path.with_suffix(".json").read_text())
    assert f"the hull of the keypoints stood in for a mask in {COUNT} images" in said
    assert "size: unknown" in said
    assert len(report["masks_from_keypoints"]) == COUNT
    assert report["depth"]["images"] == COUNT
    assert not report["skipped"]
    assert report["keypoints"]["by_chance"] < report["keypoints"]["recognized"] < 1
    model = read_class(path)
    assert model.metric_scale == 0
    assert "in one plane" not in said
    assert model.provenance["depth"] == "keypoints"
    assert main(["inspect_class", str(path)]) == 0
    assert "no size in metres" in " ".join(capsys.readouterr().out.split())


def test_what_the_data_set_left_out_and_what_looks_wrong_is_printed(root, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        "semcorr_ros.methods.semalign3d.building.build.recognition", lambda *_: Recognition(0.01, 0.02)
    )
    content = json.loads((root / "keypoints.json").read_text())
    broken = dict(content["images"][0], file="images/none.png")
    content["images"][1]["keypoints"]["seat_front_left"] = [9000, 5]
    content["images"].append(broken)
    (tmp_path / "images").symlink_to(root / "images")
    (tmp_path / "keypoints.json").write_text(json.dumps(content))
    assert run(build_class, arguments(tmp_path, "--output", tmp_path / "chair.safetensors")) == 0
    said = capsys.readouterr().out
    assert "image images/none.png: skipped, no image" in said
    assert "seat_front_left at (9000, 5)" in said
    assert "only 1% of the annotated keypoints look like themselves in the other images (2%" in said


def test_a_size_is_given_between_two_keypoints(root, tmp_path):
    path = tmp_path / "chair.safetensors"
    sized = ("--size", "0.45", "seat_front_left", "seat_front_right")
    assert main(["build_class", *arguments(root, "--output", path, *sized)]) == 0
    model = read_class(path)
    a, b = (model.info.keypoint_names.index(name) for name in sized[2:])
    length = float((model.sparse[a] - model.sparse[b]).norm()) * model.metric_scale
    assert length == pytest.approx(0.45, rel=1e-4)
    assert json.loads(path.with_suffix(".json").read_text())["metric_scale"] == pytest.approx(
        model.metric_scale
    )


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--depth", "sensor"], r"none of the 8 images .* has depth.*depth/<stem>\.png.*--depth keypoints"),
        (["--size", "big", "seat_front_left", "seat_front_right"], "metres above 0"),
        (["--size", "0.4", "seat_front_left", "nose"], "no keypoint 'nose'"),
        (["--nearer", "nose", "seat_front_left"], "no keypoint 'nose'"),
        (["--depth", "depth_anything", "--nearer", "a", "b"], "--nearer means nothing"),
    ],
)
def test_wrong_input_is_an_error_before_anything_is_encoded(root, tmp_path, monkeypatch, more, message):
    def encoded(*_):
        raise AssertionError("encoded")

    monkeypatch.setattr("semcorr_ros.cli.build_class.observe", encoded)
    with pytest.raises(ValueError, match=message):
        run(build_class, arguments(root, "--output", tmp_path / "chair.safetensors", *more))


def test_images_to_understand_have_no_annotations_to_read(root, tmp_path):
    given = arguments(root, "--class-file", tmp_path / "chair.safetensors", "--depth", "keypoints")
    with pytest.raises(ValueError, match="reads annotations"):
        run(evaluate, given)


def run(verb, given):
    return verbs.run(verb, *given)


def test_images_whose_keypoints_all_lie_in_planes_are_told(root, tmp_path, monkeypatch, capsys):
    given = arguments(root, "--output", tmp_path / "chair.safetensors")
    monkeypatch.setattr(describe_build, "FLAT", 2.0)  # every view counts as flat
    assert run(build_class, given) == 0
    assert "in every image the visible keypoints lie in one plane" in capsys.readouterr().out
