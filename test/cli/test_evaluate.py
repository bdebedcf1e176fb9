import argparse
import json

import numpy as np
import pytest
import spair_folder

from semcorr_ros.cli import evaluate


def run(*arguments):
    parser = argparse.ArgumentParser()
    evaluate.add_arguments(parser)
    return evaluate.run(parser.parse_args([str(a) for a in arguments]))


@pytest.fixture
def folder(tmp_path):
    """Every image has its own keypoints, and the same feature at the same keypoint."""
    folder = spair_folder.write_folder(tmp_path / "data", images=5, seed=1)
    vectors = np.random.default_rng(0).normal(size=(4, 16))
    for name, points in zip(folder.names, folder.keypoints, strict=True):
        features = 0.1 * np.random.default_rng(1).normal(size=(60, 80, 16))
        for vector, point in zip(vectors, points, strict=True):
            if np.isfinite(point).all():
                x, y = point.astype(int)
                features[y - 1 : y + 2, x - 1 : x + 2] = vector
        spair_folder.save_features(tmp_path / "features" / f"{name}.npz", features.astype(np.float32))
    return folder


def arguments(folder, *more):
    features = folder.root.parent / "features"
    given = ["--root", folder.root, "--backbone", "precomputed", "--features-dir", features, "--threads", "1"]
    return [*given, "--dataset", "spair71k", "--category", "chair", "--method", "nearest_neighbor", *more]


def test_nearest_neighbor_without_a_class(folder, tmp_path, capsys):
    out = tmp_path / "out.json"
    assert run(*arguments(folder, "--json", out)) == 0
    result = json.loads(out.read_text())
    assert {"category", "method", "split", "pairs", "keypoints", "pck", "pck_dagger"} < set(result)
    assert (result["category"], result["method"], result["split"]) == ("chair", "nearest_neighbor", "test")
    assert result["pairs"] == 6
    assert result["pck"]["per_image"]["0.1"] == 1.0
    assert set(result["pck"]["per_keypoint"]) == {"0.1", "0.05", "0.01"}
    assert set(result["pck_dagger"]) == set(result["kap"]) == {"0.1", "0.05", "0.01"}
    assert 0 < result["kap"]["0.1"] <= 1
    assert result["seconds_per_image"] > 0
    assert result["skipped"] == []
    assert "| chair | nearest_neighbor | 6 | 100.0 |" in capsys.readouterr().out


def test_several_methods_give_a_list_and_all_categories_a_mean(folder, tmp_path):
    out = tmp_path / "out.json"
    run(*arguments(folder, "--method", "nearest_neighbor", "--json", out))
    given = arguments(folder, "--json", out)
    given[given.index("--category") : given.index("--category") + 2] = ["--all-categories"]
    run(*given)
    content = json.loads(out.read_text())
    assert [row["category"] for row in content["results"]] == ["chair"]
    assert content["mean"][0]["pck"] == content["results"][0]["pck"]


def test_max_pairs_is_a_subset(folder, tmp_path):
    run(*arguments(folder, "--max-pairs", "2", "--seed", "5", "--json", tmp_path / "out.json"))
    assert json.loads((tmp_path / "out.json").read_text())["pairs"] == 2


def test_a_broken_image_is_skipped_and_named(folder, tmp_path, capsys):
    (tmp_path / "features" / f"{folder.names[4]}.npz").write_bytes(b"broken")
    run(*arguments(folder, "--json", tmp_path / "out.json"))
    result = json.loads((tmp_path / "out.json").read_text())
    assert result["pairs"] == 2
    assert len(result["skipped"]) == 4
    assert folder.names[4] in result["skipped"][0]["reason"]
    assert folder.names[4] in capsys.readouterr().err


def test_nothing_to_evaluate_is_a_failure(folder, tmp_path):
    for name in folder.names[2:]:
        (tmp_path / "features" / f"{name}.npz").unlink()
    assert run(*arguments(folder)) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--method", "aligned"], "--class-file"),
        (["--split", "val"], "no pairs of 'chair'"),
        (["--category", "cup"], "found chair"),
        (["--max-pairs", "0"], "at least 1"),
        (["--device", "cuda:7"], "--device cuda:7"),
        (["--depth", "precomputed"], "--depth-dir"),
        (["--masks", "none", "attention"], "excludes"),
        (["--weights", "w.safetensors"], "--weights means nothing"),
    ],
)
def test_wrong_arguments_are_explained(folder, change, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        run(*arguments(folder, *change))
