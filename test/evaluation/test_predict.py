from dataclasses import replace
from pathlib import Path

import pytest
import spair_folder
import torch

import semcorr_ros
from semcorr_ros.artifacts import AnnotatedImage, Correspondences, FeatureMap, ImagePair, KeypointState
from semcorr_ros.datasets import spair71k
from semcorr_ros.evaluation import predict
from semcorr_ros.evaluation.journal import open_journal
from semcorr_ros.evaluation.score import score
from semcorr_ros.evaluation.views import Setup
from semcorr_ros.features import FeatureExtractor
from semcorr_ros.methods._features import FeatureModel
from semcorr_ros.observations import Providers
from semcorr_ros.storage import write_image


class Features(FeatureExtractor):
    backbone = "fabricated"

    def __init__(self):
        self.calls = []

    def encode(self, ref):
        self.calls.append(ref.name)
        if ref.name.endswith("5"):
            raise ValueError(f"{ref.name}: broken")
        return FeatureMap(torch.ones(3, 4, 1), tuple(ref.image.shape[:2]), self.backbone)


def shifted_by(pixels):
    """A model that answers the source pixel, moved to the right."""

    def match(source, target, points):
        n = len(points)
        state = torch.full((n,), int(KeypointState.VISIBLE))
        moved = points + torch.tensor([pixels, 0.0])
        return Correspondences(moved, torch.ones(n), state, torch.full((n, 3), torch.nan))

    return FeatureModel(match)


@pytest.fixture
def bench(tmp_path):
    """Four test images with the same keypoints, a box of 40 pixels; image 5 cannot be encoded."""
    folder = spair_folder.write_folder(tmp_path / "data", images=6)
    points = folder.keypoints[0]
    for path in sorted((folder.root / "PairAnnotation/test").glob("*.json")):
        names = path.stem.partition(":")[0].split("-")[1:]
        content = spair_folder.pair_annotation("chair", tuple(names), [points, points])
        spair_folder.write(path, content)
    data = spair71k.build(folder.root)
    samples = {s.name: s for s in data.images("chair", "test")}
    pairs = dict(enumerate(data.pairs("chair", "test")))
    return pairs, Setup(samples, Providers(Features()), shifted_by(0.0), whole_image=True)


def test_every_image_is_encoded_once_and_failed_pairs_are_named(bench, tmp_path):
    pairs, setup = bench
    journal = open_journal(tmp_path / "run" / "p.jsonl")
    steps = []
    failed = predict.predict(pairs, setup, journal, lambda: steps.append(1))
    assert sorted(setup.providers.features.calls) == sorted(setup.samples)
    assert len(steps) == len(pairs) == 12
    assert len(failed) == 6
    assert all("2008_000005: broken" in reason or "000005" in reason for reason in failed.values())
    assert sorted(journal.predictions) == [i for i in pairs if i not in failed]
    assert len(journal.image_seconds) == 3


@pytest.mark.parametrize(("shift", "wanted"), [(0.0, 1.0), (3.9, 1.0), (4.0, 0.0), (5.0, 0.0)])
def test_score_uses_the_target_box_and_strict_comparison(bench, tmp_path, shift, wanted):
    pairs, setup = bench
    journal = open_journal(tmp_path / "p.jsonl")
    predict.predict(pairs, replace(setup, model=shifted_by(shift)), journal)
    result = score(pairs, journal)
    assert result["pairs"] == 6
    assert result["keypoints"] == 24
    assert result["pck"]["per_image"]["0.1"] == wanted
    assert result["pck"]["per_keypoint"]["0.1"] == wanted
    assert result["pck"]["per_image"]["0.01"] == (1.0 if shift == 0 else 0.0)
    assert result["pck_dagger"]["0.1"] <= wanted
    assert result["seconds_per_image"] > 0
    assert set(result["kap"]) == {"0.1", "0.05", "0.01"}


def test_a_second_run_only_does_what_is_missing(bench, tmp_path):
    pairs, setup = bench
    good = {i: p for i, p in pairs.items() if "000005" not in p.source + p.target}
    first = dict(list(good.items())[:2])
    predict.predict(first, setup, open_journal(tmp_path / "p.jsonl"))
    again = open_journal(tmp_path / "p.jsonl")
    assert sorted(again.predictions) == sorted(first)
    predict.predict(good, replace(setup, model=shifted_by(9.0)), again)
    result = score(good, open_journal(tmp_path / "p.jsonl"))
    assert result["pck"]["per_image"]["0.1"] == pytest.approx(2 / 6)


def test_kap_is_kept_for_scoring_without_the_features(bench, tmp_path):
    pairs, setup = bench
    predict.predict(pairs, setup, open_journal(tmp_path / "p.jsonl"))
    result = score(pairs, open_journal(tmp_path / "p.jsonl"))
    assert 0 < result["kap"]["0.1"] <= 1


def test_code_is_part_of_the_key_unless_it_is_named(tmp_path):
    for name in (
        "zoom.py",
        "methods/new/kernel.cpp",
        "cli/align.py",
        "evaluation/tables.py",
        "evaluation/kap.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [str(path.relative_to(tmp_path)) for path in predict.code(tmp_path)]
    assert found == ["evaluation/kap.py", "methods/new/kernel.cpp", "zoom.py"]


def test_nothing_done_gives_no_number(bench, tmp_path):
    result = score(bench[0], open_journal(tmp_path / "p.jsonl"))
    assert result["pairs"] == 0
    assert result["pck"]["per_image"]["0.1"] is None


def test_choose_is_a_seeded_subset_without_repetition():
    assert predict.choose(5, None, 0) == predict.choose(5, 9, 0) == [0, 1, 2, 3, 4]
    chosen = predict.choose(1000, 100, 3)
    assert chosen == predict.choose(1000, 100, 3) == sorted(set(chosen))
    assert len(chosen) == 100
    assert chosen != predict.choose(1000, 100, 4)


def test_key_changes_with_pairs_and_settings(bench):
    pairs = list(bench[0].values())
    key = predict.key(pairs, {"seed": 0})
    assert key == predict.key(pairs, {"seed": 0})
    assert key != predict.key(pairs, {"seed": 1})
    assert key != predict.key(pairs[1:], {"seed": 0})


def test_seconds_are_those_that_carrying_took(bench, tmp_path):
    pairs, setup = bench
    journal = open_journal(tmp_path / "p.jsonl")
    predict.predict(pairs, setup, journal)
    assert all(0 <= each.seconds < 60 for each in journal.predictions.values())


def test_a_key_is_short_and_changes_with_the_code(bench, tmp_path, monkeypatch):
    pairs, file = list(bench[0].values()), tmp_path / "zoom.py"
    monkeypatch.setattr(predict, "code", lambda: [file])
    file.write_text("x = 1\n")
    key = predict.key(pairs, {})
    assert len(key) == 16, "it names a folder"
    file.write_text("x = 2\n")
    assert predict.key(pairs, {}) != key


def test_the_code_is_that_of_the_package():
    package = Path(semcorr_ros.__file__).parent
    assert Path(predict.__file__) in predict.code()
    assert all(path.is_relative_to(package) for path in predict.code())


class Cells(FeatureExtractor):
    """Cells of 4 pixels that are told apart, in picture b counted from the right, less one."""

    backbone = "fabricated"

    def encode(self, ref):
        cell = torch.arange(300).reshape(15, 20)
        cell = cell if ref.name == "a" else cell.flip(1).roll(-1, 1)
        return FeatureMap(torch.eye(300)[cell], (60, 80), self.backbone)


def test_kap_compares_what_the_source_shows_with_cells_of_the_target(tmp_path):
    """The corner of the cell that is alike is 6 pixels left of the target: within 8 pixels, not within 4."""
    points = {"a": torch.tensor([[30.0, 6.0], [10.0, 42.0], [62.0, 50.0]])}
    points["b"] = torch.tensor([[50.0, 6.0], [70.0, 42.0], [18.0, 50.0]])
    shown = {"a": torch.tensor([True, True, False]), "b": torch.tensor([True, True, True])}
    box, samples = (0.0, 0.0, 80.0, 60.0), {}
    for name in "ab":
        write_image(tmp_path / f"{name}.png", torch.zeros(60, 80, 3, dtype=torch.uint8))
        samples[name] = AnnotatedImage(
            name, "thing", tmp_path / f"{name}.png", (60, 80), points[name], shown[name], box
        )
    ids = torch.tensor([0, 1])
    pair = ImagePair("a", "b", ids, points["a"][ids], points["b"][ids], box)
    setup = Setup(samples, Providers(Cells()), shifted_by(0.0), whole_image=True)
    journal = open_journal(tmp_path / "run" / "p.jsonl")
    assert predict.predict({0: pair}, setup, journal) == {}
    found = journal.predictions[0].kap["bbox"]
    assert found[0.1].positive == (True, False) * 2, "the third keypoint is hidden in the source"
    assert found[0.1].scores == pytest.approx((1, 0, 1, 0), abs=1e-6)
    assert found[0.05].scores == found[0.01].scores == pytest.approx((0, 1, 0, 1), abs=1e-6)
    assert score({0: pair}, journal)["kap"]["0.1"] == 1
