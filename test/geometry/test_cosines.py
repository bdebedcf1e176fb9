"""Looked up or interpolated, a similarity between cells is the same."""

import pytest
import torch

from semcorr_ros.artifacts import FeatureMap
from semcorr_ros.geometry import grid
from semcorr_ros.geometry.cosines import cosines


def _features(h, w, window=None):
    values = torch.randn(h, w, 24, generator=torch.Generator().manual_seed(h * w))
    return FeatureMap(torch.nn.functional.normalize(values, dim=-1), (90, 160), "fabricated:1", window)


@pytest.mark.parametrize(("h", "w"), [(9, 13), (1, 7), (5, 1), (2, 2)])
@pytest.mark.parametrize("window", [None, (30, 10, 80, 60)])
def test_similarities_are_those_of_interpolated_features(h, w, window):
    features, generator = _features(h, w, window), torch.Generator().manual_seed(1)
    pixels = torch.rand(6, 40, 2, generator=generator) * torch.tensor([220.0, 130.0]) - 30  # outside, too
    wanted = torch.nn.functional.normalize(torch.randn(6, 24, generator=generator), dim=-1)
    seen = grid.features_at(features, pixels.reshape(-1, 2)).reshape(6, 40, 24)
    expected = (seen * wanted[:, None]).sum(-1)
    torch.testing.assert_close(cosines(features, pixels, wanted), expected, atol=2e-5, rtol=0)
    assert expected.std() > 0.1


def test_at_the_centre_of_a_cell_it_is_that_cells():
    features = _features(4, 6)
    centers = grid.centers(features)[1:2, 2:3]
    found = cosines(features, centers, features.values[1, 2][None])
    assert float(found) == pytest.approx(1.0, abs=1e-5)
