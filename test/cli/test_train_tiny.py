import pytest
import verbs

from semcorr_lab.cli import train_tiny
from semcorr_ros.features import tiny
from semcorr_ros.files.picture import read_image
from semcorr_ros.storage import read_json

pytest.importorskip("embreex")


def _args(folder, *more):
    fixed = ["--categories", "mug", "--images", "2", "--unseen", "2", "--steps", "2", "--batch", "2"]
    places = ["--work", str(folder / "work"), "--output", str(folder / "tiny.safetensors")]
    run = ["--sides", "64", "64", "64", "--threads", "1", "--precision", "fp32"]
    return verbs.options(train_tiny, *fixed, *places, *run, *more)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("train_tiny")
    report = folder / "report.json"
    assert train_tiny.run(_args(folder, "--json", str(report))) == 0
    return folder, read_json(report)


def test_training_writes_weights_and_a_report(trained):
    folder, report = trained
    assert report["categories"] == ["mug"]
    assert report["images"] == 2
    assert report["loss"] > 0
    built = tiny.build(tiny.TinySettings(weights=str(folder / "tiny.safetensors")))
    assert report["backbone"] == built.backbone
    assert set(report["unseen"]) == {"mean", "mug"}


def test_evaluation_repeats_the_numbers_and_draws(trained):
    folder, report = trained
    again, picture = folder / "again.json", folder / "features.png"
    assert train_tiny.run(_args(folder, "--evaluate", "--json", str(again), "--picture", str(picture))) == 0
    assert read_json(again)["unseen"] == report["unseen"]
    assert read_image(picture).shape[1] == 4 * 360


def test_ctrl_c_keeps_a_checkpoint(tmp_path, monkeypatch, capsys):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("semcorr_lab.training.tiny_backbone._one_step", stop)
    assert train_tiny.run(_args(tmp_path)) == 130
    assert (tmp_path / "work" / "checkpoint.safetensors").is_file()
    assert not (tmp_path / "tiny.safetensors").exists()
    assert "goes on from" in capsys.readouterr().err
