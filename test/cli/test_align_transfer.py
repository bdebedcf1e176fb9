import json

import numpy as np
import pytest
import spair_folder
import torch
from methods.semalign3d.alignment import fabricated
from verbs import run

from semcorr_ros.cli import align, transfer
from semcorr_ros.files.picture import read_image
from semcorr_ros.geometry import cameras
from semcorr_ros.methods.semalign3d.class_file import write_class
from semcorr_ros.refusal import Refusal
from semcorr_ros.storage import write_image, write_json


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Two pictures of the fabricated class as files, with features, depth, mask and camera."""
    folder = tmp_path_factory.mktemp("pictures")
    model = fabricated.make_class()
    truths = {}
    for name, azimuth in (("a", 30), ("b", 70)):
        seen, truths[name] = fabricated.observe(model, azimuth, 25)
        write_image(folder / f"{name}.png", seen.image)
        spair_folder.save_features(folder / "features" / f"{name}.npz", seen.features.values.numpy())
        np.save(folder / f"{name}_depth.npy", seen.depth.values.numpy())
        spair_folder.save_image(folder / f"{name}_mask.png", 255 * seen.mask.numpy().astype(np.uint8))
    write_image(folder / "empty.png", torch.full_like(seen.image, 90))
    values = np.zeros_like(seen.features.values.numpy())
    values[..., 0] = 1  # like nothing of the class
    spair_folder.save_features(folder / "features" / "empty.npz", values)
    write_json(folder / "features" / "backbone.json", {"backbone": fabricated.BACKBONE})
    write_json(folder / "camera.json", {"K": fabricated.K})
    (folder / "fast.yaml").write_text("optimize:\n  steps: 80\n")
    write_class(folder / "pear.safetensors", model)
    return folder, truths


def common(folder, tmp_path):
    return [
        *("--class-file", folder / "pear.safetensors", "--features-dir", folder / "features"),
        *("--camera", folder / "camera.json", "--alignment", folder / "fast.yaml", "--threads", "1"),
        *("--output", tmp_path / "out.png", "--json", tmp_path / "out.json"),
    ]


def test_a_class_of_another_backbone_is_an_error_that_names_both(files, tmp_path):
    folder, _ = files
    given = ["--class-file", folder / "pear.safetensors", "--image", folder / "a.png", "--backbone", "tiny"]
    with pytest.raises(Refusal, match=rf"built on backbone '{fabricated.BACKBONE}'.*'tiny:"):
        run(align, *given, "--device", "cpu")


def test_what_cannot_be_an_answer_is_an_error(files, tmp_path):
    folder, _ = files
    with pytest.raises(FileNotFoundError, match=r"no depth file sensor"):
        run(align, "--image", folder / "a.png", *common(folder, tmp_path), "--depth", "sensor")
    write_image(tmp_path / "a.png", read_image(folder / "a.png")[:31, :40])
    with pytest.raises(ValueError, match=r"a\.png is 40x31: nothing is recognised below 32"):
        run(align, "--image", tmp_path / "a.png", *common(folder, tmp_path))


def test_align_writes_numbers_and_a_picture(files, tmp_path, capsys):
    folder, truths = files
    given = ["--image", folder / "a.png", "--depth", folder / "a_depth.npy", "--mask", folder / "a_mask.png"]
    assert run(align, *given, *common(folder, tmp_path)) == 0
    result = json.loads((tmp_path / "out.json").read_text())
    assert result["class"] == "pear"
    assert result["metric"] is True
    assert 0 <= result["confidence"] <= 1
    assert result["focal_px"] == pytest.approx([140.0, 152.0], rel=1e-4)
    assert torch.linalg.det(torch.tensor(result["pose"]["rotation"])).item() == pytest.approx(1, abs=1e-3)
    assert len(result["keypoints"]) == len(truths["a"].keypoints)
    wanted = cameras.project(truths["a"].keypoints, truths["a"].camera)
    error = (torch.tensor([point["pixel"] for point in result["keypoints"]]) - wanted).norm(dim=-1)
    assert error.median() < 10
    assert max(read_image(tmp_path / "out.png").shape[:2]) == 1280
    assert "confidence" in capsys.readouterr().out


def red_frame(path) -> bool:
    """Is the border of the picture as of one that nobody should believe?"""
    border = read_image(path)[2:4].float().mean((0, 1))
    return bool(border[0] > 2 * border[1:].max())


def test_an_unsure_alignment_is_refused_as_by_the_node(files, tmp_path, capsys):
    folder, _ = files
    given = ["--image", folder / "a.png", "--depth", folder / "a_depth.npy", "--mask", folder / "a_mask.png"]
    assert run(align, *given, *common(folder, tmp_path)) == 0
    assert json.loads((tmp_path / "out.json").read_text())["refused"] is None
    assert not red_frame(tmp_path / "out.png")
    assert run(align, *given, *common(folder, tmp_path), "--min-score", 0.99) == 1
    result = json.loads((tmp_path / "out.json").read_text())
    assert result["refused"]["code"] == "LOW_SCORE"
    assert "below min_score 0.99" in result["refused"]["reason"]
    assert (result["metric"], result["pose"]) == (False, None)
    assert {point["state"] for point in result["keypoints"]} == {"REJECTED"}
    assert {point["xyz"] is None for point in result["keypoints"]} == {True}
    assert red_frame(tmp_path / "out.png")
    told = capsys.readouterr().err
    assert "LOW_SCORE" in told
    assert "look from closer" in told


def test_nothing_of_the_class_is_refused(files, tmp_path, capsys):
    folder, _ = files
    assert run(align, "--image", folder / "empty.png", *common(folder, tmp_path)) == 1
    result = json.loads((tmp_path / "out.json").read_text())
    assert result["refused"]["code"] == "NOT_FOUND"
    assert result["keypoints"] == []
    assert red_frame(tmp_path / "out.png")
    assert "nothing in the image looks like the class 'pear'" in capsys.readouterr().err


def test_transfer_refuses_the_pictures_that_it_cannot_answer_for(files, tmp_path, capsys):
    folder, _ = files
    given = ["--points", "60,48", "--source", folder / "a.png"]
    both = ["--target", folder / "empty.png", folder / "b.png"]
    assert run(transfer, *given, *both, *common(folder, tmp_path)) == 1
    result = json.loads((tmp_path / "out.json").read_text())
    assert result["refused"] is None
    empty, found = result["targets"]
    assert empty["refused"]["code"] == "NOT_FOUND"
    assert [(p["state"], p["pixel"]) for p in empty["points"]] == [("REJECTED", None)]
    assert found["refused"] is None
    assert found["points"][0]["state"] != "REJECTED"
    assert f"{folder / 'empty.png'}: NOT_FOUND" in capsys.readouterr().err
    assert run(transfer, *given, *both, *common(folder, tmp_path), "--min-score", 1) == 1
    result = json.loads((tmp_path / "out.json").read_text())
    assert result["refused"]["code"] == "LOW_SCORE"  # of the source: nothing can be said of any target
    assert result["targets"] == []
    assert read_image(tmp_path / "out.png").shape[0] > 0


def test_transfer_points_to_two_targets(files, tmp_path, capsys):
    folder, _ = files
    given = [
        "--source",
        folder / "a.png",
        "--points",
        "60,48 70.5,50",
        "--target",
        folder / "b.png",
        folder / "a.png",
    ]
    assert run(transfer, *given, *common(folder, tmp_path)) == 0
    result = json.loads((tmp_path / "out.json").read_text())
    assert result["source_points"] == [[60, 48], [70.5, 50]]
    assert [len(target["points"]) for target in result["targets"]] == [2, 2]
    to_itself = torch.tensor([point["pixel"] for point in result["targets"][1]["points"]])
    assert (to_itself - torch.tensor(result["source_points"])).norm(dim=-1).max() < 10
    assert read_image(tmp_path / "out.png").shape[0] > 2 * 700
    assert "point 2" in capsys.readouterr().out


def test_transfer_keypoints_by_name(files, tmp_path):
    folder, _ = files
    given = ["--source", folder / "a.png", "--keypoints", "k3", "k0", "--target", folder / "b.png"]
    depth = ["--source-depth", folder / "a_depth.npy", "--target-depth", folder / "b_depth.npy"]
    run(transfer, *given, *depth, *common(folder, tmp_path))
    points = json.loads((tmp_path / "out.json").read_text())["targets"][0]["points"]
    assert [point["name"] for point in points] == ["k3", "k0"]


def test_nearest_neighbor_needs_no_class(files, tmp_path):
    folder, _ = files
    given = ["--source", folder / "a.png", "--target", folder / "a.png", "--method", "nearest_neighbor"]
    where = ["--features-dir", folder / "features", "--json", tmp_path / "out.json"]
    run(transfer, *given, "--points", "80,45", *where)
    point = json.loads((tmp_path / "out.json").read_text())["targets"][0]["points"][0]
    assert point["pixel"] == pytest.approx([80, 45], abs=1)
    assert point["xyz"] is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--points", "60;48"], "60;48"),
        (["--points", "60,48", "--min-score", "2"], "--min-score must be between -1 and 1"),
        (["--points", "60,48", "--min-score", "0.5", "--method", "nearest_neighbor"], "aligns none"),
        (["--points", ""], "nothing"),
        (["--points", "500,48"], r"\(500.0, 48.0\) is outside"),
        (["--keypoints", "lid"], "no keypoint 'lid'; it has k0"),
        (["--keypoints", "k0", "--target-depth", "a", "b"], "2 files for 1 targets"),
    ],
)
def test_wrong_questions_are_explained(files, tmp_path, change, message):
    folder, _ = files
    given = ["--source", folder / "a.png", "--target", folder / "b.png", *change]
    with pytest.raises(ValueError, match=message):
        run(transfer, *given, *common(folder, tmp_path))


def test_missing_and_wrong_files_are_named(files, tmp_path):
    folder, _ = files
    with pytest.raises(FileNotFoundError, match=r"nothing\.png"):
        run(align, "--image", folder / "nothing.png", *common(folder, tmp_path))
    (tmp_path / "camera.json").write_text('{"k": 1}')
    with pytest.raises(ValueError, match=r"camera\.json.*fx"):
        run(
            align,
            "--image",
            folder / "a.png",
            *common(folder, tmp_path),
            "--camera",
            tmp_path / "camera.json",
        )
    pair = ("--source", folder / "a.png", "--target", folder / "b.png", "--points", "1,1")
    with pytest.raises(ValueError, match="needs --class-file"):
        run(transfer, *pair)
    with pytest.raises(ValueError, match=r"--masks says who outlines .* needs --class-file"):
        run(transfer, *pair, "--method", "nearest_neighbor", "--masks", "attention")
