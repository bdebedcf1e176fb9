"""Boxes of whole pixels: worked numbers."""

import pytest
import torch

from semcorr_ros.geometry.boxes import box_of, intersection_over_union, widened


def test_the_box_of_a_mask_holds_its_outermost_pixels():
    mask = torch.zeros(20, 30, dtype=torch.bool)
    mask[4, 7] = mask[11, 9] = mask[6, 25] = True
    assert box_of(mask) == (7, 4, 19, 8)
    single = torch.zeros(5, 5, dtype=torch.bool)
    single[3, 2] = True
    assert box_of(single) == (2, 3, 1, 1)


def test_a_margin_is_a_share_of_the_longer_side_and_ends_at_the_border():
    assert widened((30, 40, 20, 10), (100, 200), 0.25) == (25, 35, 30, 20)
    assert widened((30, 40, 10, 20), (100, 200), 0.25) == (25, 35, 20, 30)
    assert widened((1, 2, 20, 10), (100, 200), 0.25) == (0, 0, 26, 17)
    assert widened((178, 88, 20, 10), (100, 200), 0.25) == (173, 83, 27, 17)


@pytest.mark.parametrize(
    ("other", "share"),
    [
        ((0, 0, 10, 20), 1.0),
        ((5, 0, 10, 20), 1 / 3),
        ((0, 5, 10, 20), 0.6),
        ((4, 6, 10, 20), 84 / 316),
        ((2, 3, 5, 4), 0.1),
        ((10, 0, 10, 20), 0.0),
        ((0, 20, 10, 20), 0.0),
        ((40, 50, 10, 20), 0.0),
        ((40, 3, 10, 20), 0.0),
    ],
)
def test_overlap(other, share):
    box = (0, 0, 10, 20)
    assert intersection_over_union(box, other) == pytest.approx(share)
    assert intersection_over_union(other, box) == pytest.approx(share)
