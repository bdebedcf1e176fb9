"""train_adapter on a few rendered pictures with `tiny`: both sources of labels, and what comes of them."""

import signal
import subprocess
import sys
import time

import pytest
import torch
from verbs import run

from semcorr_lab.synthetic.dataset import DatasetConfig, make_dataset
from semcorr_lab.synthetic.scene import SceneConfig
from semcorr_lab.synthetic.source import ProceduralSource
from semcorr_ros.adapter.labels import Labels, Matches, PictureName, write_labels
from semcorr_ros.cli import build_class, evaluate, train_adapter
from semcorr_ros.datasets import DATASETS
from semcorr_ros.features._adapter_network import read_adapter
from semcorr_ros.files.picture import read_image
from semcorr_ros.storage import read_json

SMALL = ("--backbone", "tiny", "--threads", 1, "--steps", 6, "--check-every", 3, "--crops", 1, "--width", 32)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rendered")
    scene = SceneConfig(size=(96, 128))
    made = DatasetConfig(images=(5, 0, 2), pairs=(0, 0, 2), seed=77, scene=scene)
    make_dataset(folder, ProceduralSource(("car",)), made, 1, lambda: None)
    return folder


def arguments(root, output, *more):
    return ["--root", root, "--category", "car", "--output", output, *SMALL, *more]


@pytest.fixture(scope="module")
def trained(root, tmp_path_factory):
    path = tmp_path_factory.mktemp("trained") / "adapter.safetensors"
    assert run(train_adapter, *arguments(root, path)) == 0
    return path


@pytest.fixture(scope="module")
def labels(root, tmp_path_factory):
    """Keypoints as a file of pseudo-labels."""
    data = DATASETS.load("spair71k").build(root)
    samples = data.images("car", "trn")
    found = []
    for i, j in ((0, 1), (1, 2), (3, 4), (4, 0)):
        ids = samples[i].visible & samples[j].visible
        found.append(Matches(i, j, samples[i].keypoints[ids], samples[j].keypoints[ids]))
    pictures = tuple(PictureName("car", one.name, one.size) for one in samples)
    origin = {"root": str(root), "dataset": "spair71k", "split": "trn"}
    path = tmp_path_factory.mktemp("work") / "car/pseudo_labels/labels.safetensors"
    write_labels(path, Labels(pictures, tuple(m for m in found if len(m)), origin))
    return path


def test_it_writes_adapter_report_and_curve(trained):
    adapter = read_adapter(trained)
    assert adapter.backbone.startswith("tiny:")
    assert adapter.provenance["labels"] == "keypoints"
    assert "root" not in adapter.provenance
    report = read_json(trained.with_suffix(".json"))
    assert report["categories"]["car"]["pictures"] == 5
    assert report["training"]["double_flip"] == 1.0
    assert report["held_out_pairs"] > 0
    assert [row["step"] for row in report["losses"]] == [3, 6]
    assert report["chosen_step"] in (3, 6)
    assert read_image(trained.with_name("adapter.losses.png")).float().std() > 5


def test_the_same_command_gives_the_same_file_also_after_kill_9(root, trained, tmp_path):
    output = tmp_path / "adapter.safetensors"
    words = [str(word) for word in arguments(root, output)]
    command = [sys.executable, "-m", "semcorr_ros", "train_adapter", *words]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    maps = tmp_path / "adapter_work/maps/car"
    while process.poll() is None and not list(maps.glob("*.safetensors")):
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = {path: path.stat().st_mtime_ns for path in maps.glob("*.safetensors")}
    assert run(train_adapter, *arguments(root, output)) == 0
    assert output.read_bytes() == trained.read_bytes()
    assert kept == {path: path.stat().st_mtime_ns for path in kept}, "encoded once"


def test_a_work_folder_of_labels_needs_nothing_else(labels, tmp_path):
    work, output = labels.parents[2], tmp_path / "a.safetensors"
    given = ["--labels", work, "--output", output, *SMALL, "--held-out", 0.0]
    assert run(train_adapter, *given) == 0
    report = read_json(output.with_suffix(".json"))
    assert report["training"]["lr"] == 5e-3, "DIY-SC's, where nobody annotated"
    assert report["training"]["double_flip"] == 0.0
    assert report["categories"]["car"]["pairs"] == 4
    assert report["chosen_step"] == 6


def test_it_is_a_backbone_everywhere(root, trained, tmp_path):
    features = ["--backbone", "adapter", "--weights", trained, "--threads", 1]
    common = ["--root", root, "--category", "car"]
    given = [*common, *features, "--method", "window_soft_argmax", "--json", tmp_path / "e.json"]
    assert run(evaluate, *given) == 0
    assert read_json(tmp_path / "e.json")["pairs"] == 2


def test_a_class_remembers_its_adapter(root, trained, tmp_path):
    output = trained.with_name("car.safetensors")
    given = ["--root", root, "--category", "car", "--backbone", "adapter", "--weights", trained]
    assert run(build_class, *given, "--output", output, "--threads", 1) == 0
    given = ["--root", root, "--category", "car", "--class-file", output, "--threads", 1]
    assert run(evaluate, *given, "--method", "nearest_neighbor", "--json", tmp_path / "e.json") == 0


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--category", "horse"), "no category 'horse'; it has car"),
        (("--category", "car", "--output", "x.pth"), r"must end in \.safetensors"),
        (("--category", "car", "--sources", 32, 16), "not the 64 channels"),
        (("--category", "car", "--labels", "nowhere"), "no file of pseudo-labels"),
        (("--category", "car", "--curve", "c.txt"), "no image format"),
    ],
)
def test_what_cannot_work_is_said_in_a_sentence(root, tmp_path, more, said):
    given = ["--root", root, *SMALL]
    if "--output" not in more:
        given += ["--output", tmp_path / "a.safetensors"]
    with pytest.raises((ValueError, FileNotFoundError), match=said):
        run(train_adapter, *given, *more)


def test_nothing_to_learn_from_is_refused_by_name(root, labels):
    with pytest.raises(ValueError, match="--root must be given"):
        run(train_adapter, "--category", "car")
    with pytest.raises(ValueError, match="--self-flip needs keypoints"):
        run(train_adapter, "--labels", labels, *SMALL, "--self-flip", 0.5)


def test_pictures_that_are_not_there_are_named(root, tmp_path):
    names = (PictureName("car", "trn_0000", (96, 128)), PictureName("car", "elsewhere", (96, 128)))
    points = torch.tensor([[60.0, 40.0], [70.0, 50.0]])
    path = tmp_path / "labels.safetensors"
    write_labels(path, Labels(names, (Matches(0, 1, points, points),), {"split": "trn"}))
    with pytest.raises(ValueError, match=r"no pair .*; car/elsewhere: the data set has no such picture"):
        run(train_adapter, "--labels", path, "--root", root, *SMALL, "--output", tmp_path / "a.safetensors")
