"""Connected pieces, growth and Otsu's split against scipy and the formula."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from semcorr_ros.masks import _pieces, _prompts
from semcorr_ros.masks._otsu import otsu_threshold


@pytest.fixture(params=range(3))
def spots(request):
    """Many pieces, some of which touch at a corner only."""
    noise = np.random.default_rng(request.param).normal(size=(60, 80))
    return ndimage.gaussian_filter(noise, 1.5) > 0.05


def test_pieces_are_those_of_scipy(spots):
    labels, areas = _pieces.label(spots)
    wanted, count = ndimage.label(spots)
    assert count == len(areas) - 1 > 5
    assert ndimage.label(spots, np.ones((3, 3)))[1] < count
    assert np.array_equal(labels, wanted)
    assert np.array_equal(areas, np.bincount(wanted.ravel()))
    assert np.array_equal(_pieces.largest(torch.from_numpy(spots)), wanted == 1 + areas[1:].argmax())


def test_growth_is_that_of_scipy(spots):
    for pixels in (1, 3):
        assert np.array_equal(_pieces.grown(spots, pixels), ndimage.binary_dilation(spots, iterations=pixels))


def test_nothing_has_no_largest_piece():
    assert not _pieces.largest(torch.zeros(4, 5, dtype=torch.bool)).any()


def test_otsu_separates_best(spots):
    values = np.where(spots, 0.3, -0.2) + 0.08 * np.random.default_rng(9).normal(size=spots.shape)
    split = otsu_threshold(torch.from_numpy(values))

    def between(at: float) -> float:
        low, high = values[values < at], values[values >= at]
        return len(low) * len(high) * (low.mean() - high.mean()) ** 2

    edges = np.linspace(values.min(), values.max(), 129)[1:-1]
    assert between(split) >= 0.999 * max(map(between, edges))
    assert otsu_threshold(torch.full((4,), 0.3)) is None


def test_a_region_that_fills_the_image_is_pointed_at_in_its_middle():
    middle = _prompts.from_region(torch.ones(40, 60, dtype=torch.bool)).points[0]
    assert 18 <= middle[1] <= 21
    assert 18 <= middle[0] <= 41
