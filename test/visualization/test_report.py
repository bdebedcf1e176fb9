"""The HTML page of an evaluation and its pictures."""

import html.parser

import numpy as np
import pytest
import spair_folder
import torch

from semcorr_ros.datasets import spair71k
from semcorr_ros.evaluation.journal import Prediction, open_journal
from semcorr_ros.evaluation.score import Protocol
from semcorr_ros.visualization import report_examples
from semcorr_ros.visualization.report_examples import RIGHT, WRONG, Example, draw_pair, extremes
from semcorr_ros.visualization.report_page import Chapter, page

NAMES = ("seat", "back", "left", "right")


@pytest.fixture
def bench(tmp_path):
    """Twelve pairs with boxes of 40 pixels; answers are off to the right, pair i by i pixels."""
    folder = spair_folder.write_folder(tmp_path / "data", images=6)
    data = spair71k.build(folder.root)
    pairs = dict(enumerate(data.pairs("chair", "test")))
    journal = open_journal(tmp_path / "p.jsonl")
    for i, pair in pairs.items():
        journal.add_prediction(i, Prediction(pair.target_keypoints + torch.tensor([float(i), 0.0]), 0.1))
    samples = {sample.name: sample for sample in data.images("chair", "test")}
    return pairs, journal, Protocol(samples)


def test_worst_come_first_and_no_pair_twice(bench):
    pairs, journal, protocol = bench
    found = extremes(pairs, journal, protocol, NAMES, 2)
    assert [example.kind for example in found] == ["worst", "worst", "best", "best"]
    assert f"{pairs[11].source} to {pairs[11].target}: 0 of" in found[0].caption
    assert "mean error 0.28 of the box" in found[0].caption
    assert found[2].caption.endswith("mean error 0.00 of the box")
    few = {i: pairs[i] for i in (0, 5, 9)}
    assert [e.kind for e in extremes(few, journal, protocol, NAMES, 5)] == ["worst", "worst", "best"]
    assert extremes(pairs, journal, protocol, NAMES, 0) == []


def shown(picture, color):
    """Number of pixels of about this color."""
    return int(((picture.int() - torch.tensor(color)).abs().sum(-1) < 60).sum())


def test_lines_lead_to_the_truth_and_tell_right_from_wrong(bench, monkeypatch):
    monkeypatch.setattr(
        report_examples, "read_image", lambda path: torch.full((60, 80, 3), 128, dtype=torch.uint8)
    )
    pairs, _, protocol = bench
    points = pairs[0].target_keypoints + torch.tensor([15.0, 0.0])
    ends = torch.ones(len(points), dtype=torch.bool)
    wrong = draw_pair(pairs[0], points, ~ends, protocol.samples, NAMES)
    right = draw_pair(pairs[0], points, ends, protocol.samples, NAMES)
    assert wrong.shape[1] == report_examples.WIDTH
    left = slice(0, 590)
    assert shown(wrong, WRONG) > shown(right, WRONG) + 300
    assert shown(right, RIGHT) > shown(wrong, RIGHT) + 300
    assert shown(wrong[:, left], (25, 25, 28)) > shown(right[:, left], (25, 25, 28)), (
        "only wrong ones are named"
    )


def test_an_answer_that_is_missing_is_crossed_out_and_named(bench):
    pairs, _, protocol = bench
    points = torch.full_like(pairs[0].target_keypoints, torch.nan)
    right = torch.zeros(len(points), dtype=torch.bool)
    picture = draw_pair(pairs[0], points, right, protocol.samples, NAMES)
    assert picture.dtype == torch.uint8
    assert picture.shape[2] == 3


class Reader(html.parser.HTMLParser):
    """Tags that are open, and what the cells say."""

    def __init__(self):
        super().__init__()
        self.open, self.cells = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        if self.open and self.open[-1] in ("td", "th"):
            self.cells.append(text)


def test_page_is_whole_and_shows_every_cell():
    rows = [["category", "PCK"], ["<mug>", "12.5"], ["mean", "12.5"]]
    picture = torch.from_numpy(np.zeros((4, 6, 3), np.uint8))
    chapter = Chapter(
        "mug & more", [["pairs by", "level"], ["truncation", "none"]], [Example("best", "a to b", picture)]
    )
    text = page({"threshold": "image"}, rows, [], [chapter])
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    assert reader.cells == [
        "category",
        "PCK",
        "<mug>",
        "12.5",
        "mean",
        "12.5",
        "pairs by",
        "level",
        "truncation",
        "none",
    ]
    assert '<tr class="mean new">' in text
    assert "larger side of the target's image" in text
    assert "mug &amp; more" in text
    assert "data:image/jpeg;base64," in text
