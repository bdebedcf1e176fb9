import json
import shutil
from functools import partial

import numpy as np
import pear_folder
import pytest
import spair_folder
import verbs

from semcorr_ros.cli import evaluate
from semcorr_ros.methods import nearest_neighbor
from semcorr_ros.methods._features import method


def run(*arguments):
    return verbs.run(evaluate, *arguments)


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


def test_a_category_that_cannot_be_evaluated_is_left_out_and_named(folder, tmp_path, capsys):
    (folder.root / "ImageAnnotation" / "sofa").mkdir()
    given = arguments(folder, "--json", tmp_path / "out.json")
    given[given.index("--category") : given.index("--category") + 2] = ["--all-categories"]
    assert run(*given) == 0
    content = json.loads((tmp_path / "out.json").read_text())
    assert [row["category"] for row in content["results"]] == ["chair"]
    assert [item["category"] for item in content["skipped"]] == ["sofa"]
    assert "no pairs of 'sofa'" in content["skipped"][0]["reason"]
    assert "sofa" in capsys.readouterr().err


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


def test_an_interrupted_run_continues_where_it_was(folder, tmp_path, monkeypatch):
    run(*arguments(folder, "--json", tmp_path / "whole.json"))
    asked = []
    real = nearest_neighbor.match

    def match(*given, stop_after=2):
        if stop_after is not None and len(asked) == stop_after:
            raise KeyboardInterrupt
        asked.append(1)
        return real(*given)

    monkeypatch.setattr(nearest_neighbor, "PLUGIN", method(match))
    with pytest.raises(KeyboardInterrupt):
        run(*arguments(folder, "--json", tmp_path / "out.json"))
    assert not (tmp_path / "out.json").exists()
    monkeypatch.setattr(nearest_neighbor, "PLUGIN", method(partial(match, stop_after=None)))
    run(*arguments(folder, "--json", tmp_path / "out.json"))
    assert len(asked) == 6, "six pairs: two before the interruption and only four after it"
    results = [json.loads((tmp_path / name).read_text()) for name in ("whole.json", "out.json")]
    assert all(result.pop("seconds_per_image") > 0 for result in results)
    assert all(result.pop("peak_memory")["process_bytes"] > 0 for result in results)
    assert results[0] == results[1]


def test_predictions_are_scored_again_without_features(folder, tmp_path, capsys):
    work, out = tmp_path / "work", tmp_path / "out.json"
    run(*arguments(folder, "--work", work, "--json", out))
    first = json.loads(out.read_text())
    assert first.pop("peak_memory")["gpu"]
    shutil.rmtree(tmp_path / "features")
    again = ["--root", folder.root, "--category", "chair", "--rescore", work, "--json", out]
    assert run(*again) == 0
    assert json.loads(out.read_text()) == first
    run(*again, "--threshold", "image")
    image = json.loads(out.read_text())
    assert image["threshold"] == "image"
    assert set(image["kap"]) == set(image["pck"]["per_image"]) == {"0.15", "0.1", "0.05"}
    assert image["pck_dagger"]["0.1"] <= image["pck"]["per_image"]["0.1"] == 1.0
    assert "PCK@0.15" in capsys.readouterr().out


def test_predictions_of_other_pairs_are_not_scored(folder, tmp_path):
    work = tmp_path / "work"
    run(*arguments(folder, "--work", work))
    again = ["--root", folder.root, "--category", "chair", "--rescore", work]
    with pytest.raises(ValueError, match="found chair by nearest_neighbor"):
        run(*again, "--method", "aligned")
    with pytest.raises(FileNotFoundError, match="no predictions of split 'val'"):
        run(*again, "--split", "val")
    next((folder.root / "PairAnnotation/test").glob("*.json")).unlink()
    with pytest.raises(ValueError, match="predictions of other pairs of 'chair'"):
        run(*again)


def test_tables_and_pictures_on_disk(folder, tmp_path, capsys):
    page, text = tmp_path / "report" / "page.html", tmp_path / "table.md"
    given = arguments(folder, "--html", page, "--markdown", text, "--json", tmp_path / "out.json")
    given[given.index("--category") : given.index("--category") + 2] = ["--all-categories"]
    run(*given, "--pictures", "1", "--method", "window_soft_argmax")
    printed = capsys.readouterr().out
    assert text.read_text().startswith(printed.strip())
    for row in (
        "| mean | window_soft_argmax |",
        "| all pairs | nearest_neighbor |",
        "| truncation | target |",
    ):
        assert row in printed
    html = page.read_text()
    assert html.count("<img ") == html.count("data:image/jpeg;base64,") == 4, "a worst and a best per method"
    assert "http" not in html, "nothing is loaded from elsewhere"
    content = json.loads((tmp_path / "out.json").read_text())
    assert content["all_pairs"][0]["pck"] == content["results"][0]["pck"]
    assert content["results"][0]["breakdown"]["occlusion"]["3"]["pairs"] == 6


def test_kap_on_the_published_grid_is_another_run(folder, tmp_path):
    work, out = tmp_path / "work", tmp_path / "out.json"
    found = []
    for grid in ("features", "letterbox"):
        run(*arguments(folder, "--work", work, "--kap-grid", grid, "--json", out))
        found.append(json.loads(out.read_text()))
    assert found[0]["pck"] == found[1]["pck"]
    assert found[0]["kap"] != found[1]["kap"]
    assert len(list(work.iterdir())) == 2


@pytest.fixture(scope="module")
def pears(tmp_path_factory):
    return pear_folder.write(tmp_path_factory.mktemp("pears"))


def test_aligned_and_nearest_neighbor_side_by_side(pears, tmp_path):
    run(
        *pear_folder.arguments(
            pears, tmp_path / "out.json", "--method", "aligned", "--method", "nearest_neighbor"
        )
    )
    content = json.loads((tmp_path / "out.json").read_text())
    aligned, nearest = (row["pck"]["per_keypoint"]["0.1"] for row in content["results"])
    assert aligned > 0.25, "a tenth of the box: guessing would give about 0.005"
    assert nearest > 0.25
    assert [row["method"] for row in content["mean"]] == ["aligned", "nearest_neighbor"]


def test_several_processes_change_nothing(pears, tmp_path):
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    run(*pear_folder.arguments(pears, one, "--max-pairs", "1"))
    run(*pear_folder.arguments(pears, two, "--max-pairs", "1", "--workers", "2"))
    results = [json.loads(path.read_text())["results"][0] for path in (one, two)]
    for result in results:
        assert result.pop("seconds_per_image") > 0
        assert result.pop("peak_memory")["process_bytes"] > 0
    assert results[0] == results[1]
    aligned = list((tmp_path / "two_predictions").rglob("alignments/*.safetensors"))
    assert len(aligned) == 2


def test_a_finished_run_is_only_scored_again(pears, tmp_path):
    work = tmp_path / "work"
    run(*pear_folder.arguments(pears, tmp_path / "out.json", "--work", work))
    before = {path: path.stat().st_mtime_ns for path in work.rglob("*") if path.is_file()}
    assert len(before) == 5, "three alignments, the journal and what it is about"
    first = json.loads((tmp_path / "out.json").read_text())
    run(*pear_folder.arguments(pears, tmp_path / "out.json", "--work", work))
    again = json.loads((tmp_path / "out.json").read_text())
    for content in (first, again):
        content["results"][0].pop("peak_memory")
    assert again == first
    assert {path: path.stat().st_mtime_ns for path in work.rglob("*") if path.is_file()} == before
    run(
        *pear_folder.arguments(
            pears, tmp_path / "out.json", "--work", work, "--seed", "1", "--max-pairs", "1"
        )
    )
    assert len(list(work.iterdir())) == 2, "another seed is another run"
    options = ("--masks", "attention", "--mask-option", "attention.keep=0.3")
    run(*pear_folder.arguments(pears, tmp_path / "out.json", "--work", work, "--max-pairs", "1", *options))
    assert len(list(work.iterdir())) == 3, "so are other masks"


def test_a_class_of_another_backbone_is_refused(pears, tmp_path):
    given = pear_folder.arguments(pears, tmp_path / "out.json")
    other = tmp_path / "features"
    spair_folder.save_features(other / "a.npz", np.ones((2, 2, 32)))
    given[given.index("--features-dir") + 1] = other
    given[given.index("--all-categories")] = "--category=pear"
    with pytest.raises(ValueError, match=r"built on backbone 'fabricated:1'.*'precomputed:32'"):
        run(*given)
