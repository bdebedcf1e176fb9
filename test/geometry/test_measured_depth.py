"""Depth counts as an object's own where enough of it is measured."""

import torch

from semcorr_ros.geometry.measured_depth import FEWEST, is_measured

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
