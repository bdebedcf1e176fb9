"""Worked numbers of the authors' frame: 840 pixels, 60 x 60 cells."""

import pytest
import torch

from semcorr_ros.artifacts import FeatureMap
from semcorr_ros.evaluation import letterbox, pck


def test_a_landscape_image():  # T1
    assert letterbox.placement((375, 500)) == (1.68, (0, 105))
    place = letterbox.to_canvas(torch.tensor([100.0, 50.0]), (375, 500))
    torch.testing.assert_close(place, torch.tensor([168.0, 189.0]))
    assert int(letterbox.cell(place)) == 792  # column 12, row 13
    assert letterbox.placement((375, 500))[0] * pck.box_size((0, 0, 300, 120)) * 0.1 == pytest.approx(50.4)


def test_a_real_annotation_of_ap10k():  # T1b: 9284, 1200 x 867 pixels, bbox 66, 192, 1092, 512
    scale, offset = letterbox.placement((867, 1200))
    assert (scale, offset) == (0.7, (0, 116))
    eye = letterbox.to_canvas(torch.tensor([134.0, 415.0]), (867, 1200))
    torch.testing.assert_close(eye, torch.tensor([93.8, 406.5]))
    assert scale * pck.box_size((66, 192, 66 + 1092, 192 + 512)) == pytest.approx(764.4)


def test_a_portrait_image_goes_there_and_back():
    _, (x, y) = letterbox.placement((500, 375))
    assert (x, y) == (105, 0)
    points = torch.tensor([[0.0, 0.0], [374.0, 499.0]])
    there = letterbox.to_canvas(points, (500, 375))
    torch.testing.assert_close(letterbox.to_image(there, (500, 375)), points)


def test_a_point_on_the_far_border_has_no_cell():  # mirrored x = 0 lands on 840
    assert letterbox.cell(torch.tensor([[840.0, 10.0], [839.9, 10.0], [-1.0, 0.0]])).tolist() == [-1, 59, -1]


def features(size, window=None):
    return FeatureMap(torch.ones(30, 40, 1), size, "fabricated", window)


def ramp(cells=(30, 40)):
    """Similarity that grows with the column of the cell, from 0 to 1 over the grid."""
    h, w = cells
    return ((torch.arange(w) + 0.5) / w).expand(1, h, w)


def test_similarity_keeps_its_place_in_the_image():
    values, shown = letterbox.resampled(ramp(), features((375, 500)))
    rows = shown.view(60, 60)
    assert rows[8:52].all(), "105 of 840 pixels are padding above and below: 7.5 cells"
    assert not rows[:7].any()
    assert not rows[53:].any()
    x = (letterbox.corners()[shown][:, 0] + 7) / 840
    inner = (x > 0.05) & (x < 0.95)
    torch.testing.assert_close(values[0][inner], x[inner], atol=1e-5, rtol=0)


def test_only_cells_within_the_window_are_shown():
    _, shown = letterbox.resampled(ramp(), features((840, 840), (140, 280, 400, 300)))
    places = letterbox.corners()[shown] + 7
    assert places.amin(0).tolist() == [147.0, 287.0]
    assert places.amax(0).tolist() == [539.0, 567.0]
