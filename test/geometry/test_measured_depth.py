"""Depth counts as an object's own where enough of it is measured."""

import pytest
import torch

from semcorr_ros.geometry.measured_depth import FEWEST, is_measured, window

MASK = torch.zeros(60, 80, dtype=torch.bool)
MASK[10:40, 20:60] = True


def depth(share: float, elsewhere: float = 1.0) -> torch.Tensor:
    """Valid in that share of the mask's rows, respectively of the other pixels."""
    draws = torch.rand(MASK.shape, generator=torch.Generator().manual_seed(0))
    return (draws < torch.where(MASK, share, elsewhere)).float()


def test_an_object_that_is_measured_in_part_is_measured():
    assert is_measured(depth(1.0), MASK)
    assert is_measured(depth(0.4), MASK)


def test_what_is_measured_around_an_object_is_not_the_object():
    assert not is_measured(depth(0.05), MASK)
    assert not is_measured(depth(0.0), MASK)


def test_sparse_depth_is_sparse_everywhere():
    assert is_measured(depth(0.05, 0.05), MASK)


def test_a_speck_is_no_measurement():
    values = torch.zeros(MASK.shape)
    values[20, 21 : 20 + FEWEST] = 1.0
    assert not is_measured(values, MASK)
    values[20, 20 + FEWEST] = 1.0
    assert is_measured(values, MASK)


def test_invalid_numbers_are_not_measured():
    for nothing in (torch.nan, torch.inf, -1.0):
        assert not is_measured(torch.full(MASK.shape, nothing), MASK)


@pytest.mark.parametrize("masked", [False, True])
def test_around_a_pixel_beyond_the_image_there_is_no_depth(masked):
    """A window of 7 x 7 pixels, cut by each side and each corner; the rest of it is there."""
    values = 1 + torch.arange(20.0 * 30).reshape(20, 30)
    mask = torch.ones(20, 30, dtype=torch.bool) if masked else None
    for x, columns in (
        (-5, []),
        (-4, []),
        (-2, [0, 1]),
        (15, range(12, 19)),
        (31, [28, 29]),
        (33, []),
        (40, []),
    ):
        for y, rows in ((-5, []), (-2, [0, 1]), (8, range(5, 12)), (21, [18, 19]), (23, []), (30, [])):
            (found,) = window(torch.tensor([[x, y]]).float(), values, mask)
            shown = [float(values[row, column]) for row in rows for column in columns]
            assert found[torch.isfinite(found)].tolist() == shown
            assert len(found) == 49


def test_off_the_mask_there_is_no_depth():
    mask = torch.zeros(20, 30, dtype=torch.bool)
    mask[4:9, 10] = True
    (found,) = window(torch.tensor([[10.0, 8.0]]), torch.ones(20, 30), mask)
    assert torch.isfinite(found).sum() == 4
    border = torch.ones(20, 30, dtype=torch.bool)
    border[1:-1, 1:-1] = False
    for pixel, shown in (([1.0, 1.0], 9), ([28.0, 18.0], 9), ([15.0, 1.0], 7), ([28.0, 9.0], 7)):
        (found,) = window(torch.tensor([pixel]), torch.ones(20, 30), border)
        assert torch.isfinite(found).sum() == shown
