"""The verb from a folder of pictures and meshes to canonical meshes, stopped and gone on with."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from mesh_cases import write_mesh_folder
from verbs import run

from semcorr_ros.adapter.labels import read_labels
from semcorr_ros.cli import mesh_prior
from semcorr_ros.cli._options.mesh_prior import STAGES
from semcorr_ros.mesh_prior.mesh_file import read_mesh

ROOT = Path(__file__).resolve().parents[2]
GOOD, TURNS = 3, {1: 90}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mugs")
    write_mesh_folder(folder, "mug", GOOD + 1, TURNS)
    (folder / "meshes/trn_0003.ply").write_bytes(b"no mesh")
    return folder


def words(stage, root, work, *more):
    given = [stage, "--root", root, "--category", "mug", "--work", work, "--mesh-dir", root / "meshes"]
    return [*given, "--backbone", "tiny", "--azimuth-option", "side=96", "--threads", "1", *more]


@pytest.fixture(scope="module")
def done(root, tmp_path_factory):
    work = tmp_path_factory.mktemp("done")
    assert run(mesh_prior, *words("run", root, work)) == 0
    return work


def files(work):
    found = {path.relative_to(work): path for path in sorted(work.rglob("*")) if path.is_file()}
    made = {name: path for name, path in found.items() if len(name.parts) > 2}  # not the reports
    return {str(name): path.read_bytes() for name, path in made.items()}


def test_all_stages_make_canonical_meshes(done):
    report = json.loads((done / "mug/run.json").read_text())
    assert tuple(report["stages"]) == STAGES
    for stage in report["stages"].values():
        assert stage["made"] == [f"trn_000{i}" for i in range(GOOD)]
    assert report["iou"]["iou_before"] < 0.7
    assert report["iou"]["iou_after"] > 0.93
    for i in range(GOOD):
        mesh = read_mesh(done / f"mug/canonical/trn_000{i}.ply")
        assert mesh.measures["yaw_deg"] == TURNS.get(i, 0)
        assert float(mesh.vertices[:, 0].mean()) == pytest.approx(0, abs=0.25)
        assert torch.allclose((mesh.vertices.amax(0) - mesh.vertices.amin(0)).norm(), torch.tensor(1.0))
    labels = read_labels(done / "mug/pseudo_labels/labels.safetensors")
    assert sum(map(len, labels.matches)) > 300
    assert (done / "mug/run.png").stat().st_size > 10_000


def test_an_image_without_a_usable_mesh_is_named(done):
    skipped = json.loads((done / "mug/run.json").read_text())["stages"]["reconstruct"]["skipped"]
    assert [one["name"] for one in skipped] == ["trn_0003"]
    assert "trn_0003.ply is not a readable mesh" in skipped[0]["reason"]


def test_what_is_lost_or_damaged_is_made_again_with_the_same_bytes(root, done, tmp_path, capsys):
    work = tmp_path / "work"
    shutil.copytree(done, work)
    (work / "mug/masks/trn_0000.png").unlink()
    (work / "mug/meshes/trn_0001.json").unlink()
    (work / "mug/refined/trn_0002.ply").write_bytes(b"ply half")
    shutil.rmtree(work / "mug/canonical")
    assert run(mesh_prior, *words("run", root, work)) == 0
    assert files(work) == files(done)
    said = capsys.readouterr().out
    assert "reconstruct: 2 made, 1 kept, 1 skipped" in said
    assert "refine: 1 made, 2 kept, 0 skipped" in said


def test_killed_in_the_middle_it_goes_on_to_the_same_bytes(root, done, tmp_path):
    command = [sys.executable, "-m", "semcorr_ros", "mesh_prior", *map(str, words("run", root, tmp_path))]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    child = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": path})
    while child.poll() is None and not list((tmp_path / "mug/refined").glob("trn*.ply")):
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert run(mesh_prior, *words("refine", root, tmp_path)) == 0
    made = files(tmp_path)
    assert made == {name: content for name, content in files(done).items() if name in made}
    assert len(made) == GOOD * 5 + 2


def test_other_settings_are_not_mixed_in(root, done):
    with pytest.raises(ValueError, match=r"refined was made with coverage=10.0, not 3.0"):
        run(mesh_prior, *words("refine", root, done, "--coverage", 3))


def test_two_workers_make_the_same(root, done, tmp_path):
    assert run(mesh_prior, *words("reconstruct", root, tmp_path, "--workers", 2)) == 0
    made = files(tmp_path)
    assert made == {name: content for name, content in files(done).items() if name in made}
    assert len(made) == GOOD * 3 + 1


def test_a_category_of_one_image_is_named_and_skipped(tmp_path, capsys):
    write_mesh_folder(tmp_path, "mug", 1)
    assert run(mesh_prior, *words("run", tmp_path, tmp_path / "work")) == 1
    assert "trn_0000: 1 mesh: --azimuth features compares at least 2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("stage", "more", "said"),
    [
        ("refine", (), "holds nothing: run the stage reconstruct first"),
        ("reconstruct", ("--meshes", "sam3d"), "--mesh-dir means nothing to --meshes sam3d"),
        ("reconstruct", ("--split", "val"), "'mug' has no images in split 'val'"),
        ("reconstruct", ("--mesh-option", "folder=x"), "use --mesh-dir"),
        ("dance", (), "must be one of"),
    ],
)
def test_a_mistake_is_told_before_anything_is_made(root, tmp_path, stage, more, said):
    with pytest.raises(ValueError, match=said):
        run(mesh_prior, *words(stage, root, tmp_path, *more))
