"""Numbers from predictions, each against one that is worked out by hand."""

from __future__ import annotations

import pytest
import torch

from semcorr_ros.artifacts import AnnotatedImage, ImagePair
from semcorr_ros.evaluation.journal import Prediction, open_journal
from semcorr_ros.evaluation.kap import Detections
from semcorr_ros.evaluation.score import Protocol, mean_errors, score

BOX = (0.0, 0.0, 50.0, 200.0)


def pair(source="a", target="b", count=4, **difficulty):
    """Keypoints 100 pixels apart in a box whose longer side is 200 pixels."""
    points = torch.arange(1.0, count + 1)[:, None] * torch.tensor([100.0, 0.0])
    return ImagePair(source, target, torch.arange(count), points, points, BOX, difficulty)


def sample(name, visible=(True,) * 4, azimuth_id=None):
    points, shown = torch.zeros(len(visible), 2), torch.tensor(visible)
    return AnnotatedImage(name, "chair", None, (100, 400), points, shown, BOX, azimuth_id=azimuth_id)


def journal_of(tmp_path, **errors):
    """Answers that are so many pixels too low, by the number of the pair: p0=[...]."""
    book = open_journal(tmp_path / "p.jsonl")
    for name, pixels in errors.items():
        below = torch.tensor(pixels, dtype=torch.float32)[:, None] * torch.tensor([0.0, 1.0])
        book.add_prediction(int(name[1:]), Prediction(pair(count=len(pixels)).target_keypoints + below, 0.25))
    return book


def test_every_error_is_a_share_of_the_box_and_at_most_one(tmp_path):
    book = journal_of(tmp_path, p3=[0, 20, 50, 130], p5=[float("nan"), 20], p6=[1000, 0])
    pairs = {3: pair(), 4: pair(), 5: pair(count=2), 6: pair(count=2)}
    found = mean_errors(pairs, book, Protocol())
    assert sorted(found) == [3, 5, 6], "pair 4 has no prediction"
    assert found == pytest.approx({3: (0 + 0.1 + 0.25 + 0.65) / 4, 5: (1 + 0.1) / 2, 6: 0.5})


def test_the_error_can_be_a_share_of_the_image(tmp_path):
    book = journal_of(tmp_path, p0=[20, 400])
    found = mean_errors({0: pair(count=2)}, book, Protocol({"b": sample("b")}, threshold="image"))
    assert found == pytest.approx({0: (0.05 + 1) / 2})


def test_a_pair_without_keypoints_has_no_error(tmp_path):
    book = journal_of(tmp_path, p0=[])
    assert mean_errors({0: pair(count=0)}, book, Protocol()) == {}


def test_mistakes_are_told_apart_at_every_fraction(tmp_path):
    """0, 15, 30 and 105 pixels of 200: hit, hit, jitter, miss; and one that lies on its neighbour."""
    book = journal_of(tmp_path, p0=[0, 15, 30, 105])
    answers = pair().target_keypoints.clone()
    answers[0, 0] += 100
    book.add_prediction(1, Prediction(answers, 0.25))
    found = score({0: pair(), 1: pair()}, book)
    assert found["errors"]["0.1"] == pytest.approx({"miss": 1 / 4, "jitter": 1 / 8, "swap": 1 / 8})
    assert found["errors"]["0.05"] == pytest.approx({"miss": 3 / 8, "jitter": 1 / 8, "swap": 1 / 8})
    assert found["errors"]["0.01"] == pytest.approx({"miss": 3 / 8, "jitter": 0, "swap": 1 / 8})
    assert found["pck_dagger"] == pytest.approx({"0.1": 5 / 8, "0.05": 4 / 8, "0.01": 4 / 8})


def test_levels_are_those_of_the_pairs_that_have_keypoints(tmp_path):
    """Correct within a tenth of the box: 19 of 200 pixels are, 21 are not."""
    book = journal_of(tmp_path, p0=[19, 21, 0, 0], p1=[21, 21, 21, 0], p2=[])
    pairs = {0: pair(truncation=0), 1: pair("b", "a", truncation=3), 2: pair(count=0, truncation=0)}
    samples = {"a": sample("a", azimuth_id=7), "b": sample("b", azimuth_id=1)}
    assert score(pairs, book, Protocol(samples))["breakdown"] == {
        "truncation": {"0": {"pairs": 1, "pck": 0.75}, "3": {"pairs": 1, "pck": 0.25}},
        "azimuth_difference": {"2": {"pairs": 2, "pck": 0.5}},
    }
    assert "breakdown" not in score({0: pair()}, book)


def test_seconds_are_those_of_images_and_pairs_by_image(tmp_path):
    book = journal_of(tmp_path, p0=[0], p1=[0])
    book.add_image("a", 3.0)
    book.add_image("b", 2.0)
    book.add_image("unasked", 50.0)
    pairs = {0: pair(count=1), 1: pair("b", "c", count=1), 2: pair("d", "e", count=1)}
    assert score(pairs, book)["seconds_per_image"] == round((3 + 2 + 0 + 2 * 0.25) / 3, 4)


def test_geo_aware_counts_the_pairs_that_have_such_keypoints(tmp_path):
    book = journal_of(tmp_path, p0=[0, 30, 0, 0], p1=[30, 0, 0, 0], p2=[0, 0, 0, 0])
    pairs = {0: pair(), 1: pair(target="half"), 2: pair(target="unknown")}
    samples = {"b": sample("b"), "half": sample("half", (True, False, True, True))}
    found = score(pairs, book, Protocol(samples, ((0, 1),)))["geo_aware"]
    assert (found["pairs"], found["keypoints"]) == (1, 2)
    assert found["per_image"]["0.1"] == found["per_keypoint"]["0.1"] == 0.5
    none = score({1: pairs[1]}, book, Protocol(samples, ((0, 1),)))["geo_aware"]
    assert none["pairs"] == none["keypoints"] == 0
    assert none["per_image"]["0.1"] is None


def test_kap_is_left_out_where_some_pair_offers_no_similarity(tmp_path):
    book = open_journal(tmp_path / "p.jsonl")
    points = pair(count=1).target_keypoints
    offered = {"bbox": {0.1: Detections((0.9, 0.2, 0.5), (True, True, False))}}
    book.add_prediction(0, Prediction(points, 0.0, offered))
    assert score({0: pair(count=1)}, book)["kap"] == pytest.approx({"0.1": 5 / 6})
    book.add_prediction(1, Prediction(points, 0.0))
    assert "kap" not in score({0: pair(count=1), 1: pair(count=1)}, book)
    assert "kap" not in score({}, book)


def test_a_share_of_the_image_needs_its_size(tmp_path):
    book = journal_of(tmp_path, p0=[0])
    with pytest.raises(ValueError, match="needs the size of b, which could not be read"):
        score({0: pair(count=1)}, book, Protocol(threshold="image"))
