import os

import pytest
import torch

from semcorr_ros.evaluation import journal
from semcorr_ros.evaluation.kap import Detections

KAP = Detections((0.5, 0.2), (True, False))


def filled(path):
    book = journal.open_journal(path)
    points = torch.tensor([[1.5, 2.0], [torch.nan, torch.nan]])
    book.add_prediction(3, journal.Prediction(points, 0.25, {"bbox": {0.1: KAP}}))
    book.add_prediction(7, journal.Prediction(torch.zeros(0, 2), 0.5))
    book.add_image("a", 2.0)
    book.add_image("a", 9.0)
    return book


def test_what_is_written_can_be_read(tmp_path):
    book = filled(tmp_path / "new" / "run" / "p.jsonl")
    again = journal.open_journal(tmp_path / "new" / "run" / "p.jsonl")
    assert sorted(book.predictions) == sorted(again.predictions) == [3, 7]
    torch.testing.assert_close(
        again.predictions[3].points, torch.tensor([[1.5, 2.0], [torch.nan, torch.nan]]), equal_nan=True
    )
    assert again.predictions[3].kap == {"bbox": {0.1: KAP}}
    assert again.predictions[7].points.shape == (0, 2)
    assert again.image_seconds == {"a": 2.0}


def test_a_line_cut_off_by_an_interruption_is_dropped_and_the_run_goes_on(tmp_path):
    path = tmp_path / "p.jsonl"
    filled(path)
    path.write_text(path.read_text()[:-9])
    again = journal.open_journal(path)
    assert sorted(again.predictions) == [3, 7]
    assert again.image_seconds == {}
    again.add_image("b", 1.0)
    last = journal.open_journal(path)
    assert last.image_seconds == {"b": 1.0}
    assert sorted(last.predictions) == [3, 7]


def test_reading_leaves_a_whole_file_as_it_is(tmp_path):
    """Of several runs of a class the last one written to is scored: looking into one must not count."""
    path = tmp_path / "p.jsonl"
    filled(path)
    text = path.read_text()
    os.utime(path, (1000, 1000))
    journal.open_journal(path)
    assert path.stat().st_mtime == 1000
    assert path.read_text() == text


@pytest.mark.parametrize("damaged", ["{'pair': 4}\n", "5\n", "[]\n"])
def test_lines_that_are_no_entries_are_removed_from_the_file(tmp_path, damaged):
    path = tmp_path / "p.jsonl"
    filled(path)
    text = path.read_text()
    path.write_text(damaged + text)
    assert sorted(journal.open_journal(path).predictions) == [3, 7]
    assert path.read_text() == text


def test_half_an_answer_is_none(tmp_path):
    book = journal.open_journal(tmp_path / "p.jsonl")
    book.add_prediction(0, journal.Prediction(torch.tensor([[1.0, torch.nan], [2.0, 3.0]]), 0.0))
    points = journal.open_journal(book.path).predictions[0].points
    assert torch.isnan(points).tolist() == [[True, True], [False, False]]
