"""Maxima of neighborhoods are those of max_pool2d."""

import pytest
import torch

from semcorr_ros.geometry.neighborhood import maximum_around


@pytest.mark.parametrize("radius", [0, 1, 2, 3, 7, 20])
def test_equals_a_pooled_maximum(radius):
    values = torch.randn(2, 13, 31, generator=torch.Generator().manual_seed(radius))
    values[0, 3, 4] = -torch.inf
    for found, plane in zip(maximum_around(values, radius), values, strict=True):
        padded = torch.nn.functional.pad(plane, (radius,) * 4, value=-torch.inf)
        windows = padded.unfold(0, 2 * radius + 1, 1).unfold(1, 2 * radius + 1, 1)
        assert torch.equal(found, windows.amax((-1, -2)))
