"""train_sphere on a few rendered pictures with `tiny`, and its files in evaluate, transfer and the Finder."""

import json
import shutil

import pytest
import torch
from PIL import Image
from verbs import run

from semcorr_lab.synthetic.dataset import DatasetConfig, make_dataset
from semcorr_lab.synthetic.source import ProceduralSource
from semcorr_ros import methods
from semcorr_ros.cli import align, evaluate, inspect_class, train_sphere, transfer
from semcorr_ros.files.picture import read_image
from semcorr_ros.methods.spherical.class_file import read_classes
from semcorr_ros.storage import read_json, write_json

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
    assert point["state"] == "NO_DEPTH", "found in the picture, and nothing measured"
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


def test_crops_of_other_pictures_masks_or_options_are_not_taken(root, tmp_path):
    copy, output = tmp_path / "copy", tmp_path / "a.safetensors"
    shutil.copytree(root, copy)
    given = arguments(copy, output, "--category", "mug")
    assert run(train_sphere, *given) == 0
    mask = sorted((copy / "Segmentation/mug").glob("trn*.png"))[0]
    kept = mask.read_bytes()
    half = Image.open(mask)
    half.paste(0, (0, 0, half.width // 2, half.height))
    half.save(mask)
    with pytest.raises(ValueError, match="another run: pictures"):
        run(train_sphere, *given)
    mask.write_bytes(kept)
    with pytest.raises(ValueError, match="another run: pictures"):
        run(train_sphere, *given, "--crops", 3)


@pytest.mark.parametrize("damage", ["gone", "junk", "object gone"])
def test_a_damaged_crop_is_encoded_again(root, tmp_path, damage):
    given = arguments(root, tmp_path / "a.safetensors", "--category", "mug", "--work", tmp_path / "work")
    assert run(train_sphere, *given) == 0
    wanted = (tmp_path / "a.safetensors").read_bytes()
    crop = sorted((tmp_path / "work/crops/mug").glob("*.safetensors"))[0]
    if damage == "gone":
        crop.unlink()
    elif damage == "junk":
        crop.write_bytes(b"junk")
    else:
        (crop.parent / "objects" / crop.name).unlink()
    (tmp_path / "work/checkpoint.safetensors").unlink()
    assert run(train_sphere, *given) == 0
    assert (tmp_path / "a.safetensors").read_bytes() == wanted


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--json", "OUTPUT"), "must be different files"),
        (("--picture", "map.txt"), "no image format"),
        (("--split-dir", "PARENT"), "another folder"),
        (("--without", "reconstruction", "relative_distance", "orientation", "viewpoint"), "no loss"),
    ],
)
def test_what_would_be_lost_at_the_end_is_refused_at_the_start(root, tmp_path, more, said):
    output = tmp_path / "a.safetensors"
    words = [{"OUTPUT": output, "PARENT": tmp_path}.get(word, word) for word in more]
    with pytest.raises(ValueError, match=said):
        run(train_sphere, *arguments(root, output, "--category", "mug"), *words)
    assert not list(tmp_path.iterdir()), "nothing was encoded"


def test_inspect_class_reads_the_file(trained, tmp_path, capsys):
    assert run(inspect_class, trained / "sphere.safetensors", "--json", tmp_path / "i.json") == 0
    assert read_json(tmp_path / "i.json")["categories"] == list(CATEGORIES)
    assert "spherical" in capsys.readouterr().out


def test_a_class_without_keypoints_does_not_say_how_sure_it_is(root, tmp_path, capsys):
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    for path in (copy / "ImageAnnotation/mug").glob("*.json"):
        write_json(path, read_json(path) | {"kps": {}})
    output = tmp_path / "mug.safetensors"
    assert run(train_sphere, *arguments(copy, output, "--category", "mug")) == 0
    assert "cannot judge itself" in capsys.readouterr().out
    picture = sorted((root / "JPEGImages/mug").glob("*.jpg"))[0]
    assert run(align, "--class-file", output, "--image", picture, "--json", tmp_path / "a.json") == 0
    assert "it cannot judge itself" in capsys.readouterr().out
    assert read_json(tmp_path / "a.json")["confidence"] is None


def test_viewpoints_of_a_class_need_one_of_that_category_with_a_pose(root, trained, tmp_path):
    given = arguments(root, tmp_path / "a.safetensors", "--category", "mug", "--viewpoints", "class")
    folder = tmp_path / "classes"
    folder.mkdir()
    shutil.copy(trained / "classes/car.safetensors", folder / "mug.safetensors")
    with pytest.raises(ValueError, match=r"mug\.safetensors is the class 'car', not 'mug'"):
        run(train_sphere, *given, "--class-dir", folder)
    shutil.copy(trained / "classes/mug.safetensors", folder / "mug.safetensors")
    with pytest.raises(ValueError, match="no pose to take viewpoints from"):
        run(train_sphere, *given, "--class-dir", folder)


def test_a_work_folder_that_cannot_be_written_is_no_fault_of_the_pictures(root, tmp_path):
    (tmp_path / "work").write_text("in the way")
    given = arguments(root, tmp_path / "a.safetensors", "--category", "mug", "--work", tmp_path / "work")
    with pytest.raises(OSError, match="cannot be written"):
        run(train_sphere, *given)
