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
    filled(tmp_path / "p.jsonl")
    again = journal.open_journal(tmp_path / "p.jsonl")
    assert sorted(again.predictions) == [3, 7]
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
    assert journal.open_journal(path).image_seconds == {"b": 1.0}
