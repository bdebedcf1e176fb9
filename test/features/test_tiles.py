"""Worked numbers of the sliding window: 960 pixels are 2 x 2 tiles of 512."""

import pytest
import torch

from semcorr_ros.features import _tiles


@pytest.mark.parametrize(
    ("length", "wanted"), [(960, (0, 448)), (512, (0,)), (448, (0,)), (1024, (0, 512)), (1472, (0, 512, 960))]
)
def test_offsets(length, wanted):
    assert _tiles.offsets(length, 512) == wanted


@pytest.mark.parametrize("canvas", [(960, 960), (704, 960), (320, 512), (1024, 1536), (64, 1472)])
def test_every_pixel_is_in_a_tile_and_tiles_stay_inside(canvas):
    tiles = _tiles.tiling(canvas)
    covered = torch.zeros(canvas, dtype=torch.bool)
    for y, x in tiles.corners:
        assert y + tiles.tile[0] <= canvas[0]
        assert x + tiles.tile[1] <= canvas[1]
        covered[y : y + tiles.tile[0], x : x + tiles.tile[1]] = True
    assert covered.all()


@pytest.mark.parametrize(("per_cell", "cells", "second"), [(16, 60, 28), (32, 30, 14), (64, 15, 7)])
def test_published_layers(per_cell, cells, second):
    """28 + 32 = 60, 14 + 16 = 30, 7 + 8 = 15; the strip that tiles share is their mean."""
    tiles = _tiles.tiling((960, 960))
    side = 512 // per_cell
    whole = _tiles.put_together([torch.full((1, side, side), float(i)) for i in range(4)], tiles)[0]
    assert whole.shape == (cells, cells)
    assert whole[0, :second].unique().tolist() == [0.0]
    assert whole[0, second:side].unique().tolist() == [0.5]
    assert whole[0, side:].unique().tolist() == [1.0]
    assert whole[second:side, second:side].unique().tolist() == [1.5]
    assert whole[-1, -1] == 3.0


def test_a_canvas_cut_and_put_together_is_itself():
    canvases = torch.rand(2, 3, 704, 960, generator=torch.Generator().manual_seed(0))
    tiles = _tiles.tiling((704, 960))
    parts = _tiles.cut(canvases, tiles)
    assert parts.shape == (2, 4, 3, 512, 512)
    for canvas, own in zip(canvases, parts, strict=True):
        torch.testing.assert_close(_tiles.put_together(list(own), tiles), canvas)


def test_a_canvas_of_broken_cells_is_refused():
    with pytest.raises(ValueError, match=r"multiples of 64 pixels, got \(960, 720\)"):
        _tiles.tiling((960, 720))
