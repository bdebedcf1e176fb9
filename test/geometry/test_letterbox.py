"""Worked numbers of the authors' frame (840 pixels, 60 x 60 cells), and the mapping on any canvas."""

import pytest
import torch

from semcorr_ros.evaluation import pck
from semcorr_ros.geometry import grid, letterbox

SIZES = [(375, 500), (500, 375), (867, 1200), (64, 64), (31, 977), (977, 31), (1, 1)]
PLACEMENTS = [
    *(letterbox.letterboxed(size, side) for size in SIZES for side in (840, 960)),
    *(letterbox.unpadded(size, 840, 14) for size in SIZES),
]


def test_a_landscape_image():  # T1
    place = letterbox.letterboxed((375, 500))
    assert (place.scale, place.corner, place.content) == ((1.68, 1.68), (0, 105), (630, 840))
    point = torch.tensor([100.0, 50.0])
    torch.testing.assert_close(letterbox.to_canvas(point, place), torch.tensor([168.0, 189.0]))
    assert place.scale[0] * pck.box_size((0, 0, 300, 120)) * 0.1 == pytest.approx(50.4)


def test_a_real_annotation_of_ap10k():  # T1b: 9284, 1200 x 867 pixels, bbox 66, 192, 1092, 512
    place = letterbox.letterboxed((867, 1200))
    assert (place.scale[0], place.corner) == (0.7, (0, 116))
    eye = letterbox.to_canvas(torch.tensor([134.0, 415.0]), place)
    torch.testing.assert_close(eye, torch.tensor([93.8, 406.5]))
    assert place.scale[0] * pck.box_size((66, 192, 66 + 1092, 192 + 512)) == pytest.approx(764.4)


@pytest.mark.parametrize("place", PLACEMENTS)
def test_image_and_canvas_map_there_and_back(place):
    height, width = place.size
    points = torch.tensor([[0.0, 0.0], [width - 1.0, height - 1.0], [width / 2, height / 3]])
    there = letterbox.to_canvas(points, place)
    assert ((there >= 0) & (there <= torch.tensor(place.canvas[::-1]))).all()
    torch.testing.assert_close(letterbox.to_image(there, place), points, atol=1e-3, rtol=1e-5)


@pytest.mark.parametrize("size", SIZES)
def test_unpadded_agrees_with_the_cells_of_a_feature_map(size):
    place = letterbox.unpadded(size, 840, 14)
    assert max(place.canvas) == 840
    assert all(side % 14 == 0 for side in place.canvas)
    cells = place.canvas[0] // 14, place.canvas[1] // 14
    wanted = grid.cell_centers(cells, size)
    found = letterbox.to_image(grid.cell_centers(cells, place.canvas), place)
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("side", [840, 960])
@pytest.mark.parametrize("size", [(375, 500), (500, 375), (300, 301), (867, 1200), (120, 900)])
def test_what_is_cut_out_stays_where_it_was(size, side):
    """Cells that hold their own place in the image: after cutting out, each tells its new centre."""
    place = letterbox.letterboxed(size, side)
    own_place = letterbox.to_image(grid.cell_centers((60, 60), place.canvas), place)
    found = letterbox.cut_out(own_place, place)
    assert max(found.shape[:2]) == 60
    torch.testing.assert_close(found, grid.cell_centers(found.shape[:2], size), atol=1e-2, rtol=1e-4)


def test_nothing_is_interpolated_where_there_is_no_padding():
    values = torch.rand(60, 60, 3)
    assert letterbox.cut_out(values, letterbox.letterboxed((500, 500))) is values
    values = torch.rand(45, 60, 3)
    assert letterbox.cut_out(values, letterbox.unpadded((375, 500), 840, 14)) is values


def test_padding_never_leaks_into_the_image():
    """Ones on every cell that touches the image, zeros on the others."""
    for size in ((375, 500), (411, 333), (867, 1200), (90, 700)):
        place = letterbox.letterboxed(size)
        (x, y), (h, w) = place.corner, place.content
        starts = torch.arange(60) * 14
        touched_x = (starts + 14 > x) & (starts < x + w)
        touched_y = (starts + 14 > y) & (starts < y + h)
        values = (touched_y[:, None] & touched_x[None]).float()[..., None]
        found = letterbox.cut_out(values, place)
        torch.testing.assert_close(found, torch.ones_like(found), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    "bad", [lambda: letterbox.letterboxed((0, 5)), lambda: letterbox.unpadded((3, 0), 840, 14)]
)
def test_an_image_without_pixels(bad):
    with pytest.raises(ValueError, match="at least one pixel"):
        bad()


def test_the_longer_side_must_be_whole_cells():
    with pytest.raises(ValueError, match="multiple of 14 pixels, got 850"):
        letterbox.unpadded((3, 3), 850, 14)
