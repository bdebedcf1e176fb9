"""Worked numbers of the authors' window soft-argmax, and its precision below one cell."""

from dataclasses import replace

import pytest
import torch

from semcorr_ros.artifacts import FeatureMap
from semcorr_ros.methods import nearest_neighbor, window_soft_argmax


def peak(value):
    similarity = torch.zeros(1, 60, 60, dtype=torch.float64)
    similarity[0, 10, 10] = value
    return similarity


def test_clear_peak_is_returned():  # T5a
    got = window_soft_argmax.expected_cell(peak(1.0), 7, 0.02)
    torch.testing.assert_close(got, torch.full((1, 2), 10.0, dtype=torch.float64), atol=1e-3, rtol=0)


def test_weak_peak_leaks_to_the_middle():  # T5b
    got = window_soft_argmax.expected_cell(peak(0.1), 7, 0.02)
    torch.testing.assert_close(got, torch.full((1, 2), 28.7329, dtype=torch.float64), atol=1e-3, rtol=0)


def bump(x, y, size=(120, 160)):
    """Two-channel features whose first channel peaks at a pixel."""
    rows, columns = torch.meshgrid(torch.arange(30), torch.arange(40), indexing="ij")
    squared = ((columns + 0.5) * 4 - 0.5 - x) ** 2 + ((rows + 0.5) * 4 - 0.5 - y) ** 2
    angle = 1.5 * (1 - torch.exp(-squared / (2 * 12.0**2)))
    values = torch.stack([angle.cos(), angle.sin()], -1)
    return FeatureMap(values, size, "bump:1")


@pytest.mark.parametrize("window", [None, (20, 10, 160, 120)])
def test_more_precise_than_the_nearest_cell(window):
    source, target = bump(82.0, 61.0), bump(70.6, 45.4)
    shift = torch.zeros(2)
    if window:
        target = replace(target, window=window, image_size=(200, 300))
        shift = torch.tensor([20.0, 10.0])
    query, real = torch.tensor([[81.5, 61.5]]), torch.tensor([[70.6, 45.4]]) + shift
    soft = (window_soft_argmax.match(source, target, query).points - real).norm()
    hard = (nearest_neighbor.match(source, target, query).points - real).norm()
    assert soft < 1.0
    assert soft < hard


def two_peaks(backbone):
    """The second one is six cells to the right."""
    values = torch.zeros(20, 20, 3)
    values[..., 2] = 1.0
    values[10, 5], values[10, 11] = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.99, 0.141, 0.0])
    return FeatureMap(values, (20, 20), backbone)


@pytest.mark.parametrize(("backbone", "column"), [("dinov2:1", 5.0), ("geoaware:1", 7.265)])
def test_features_with_an_adapter_have_a_wider_window(backbone, column):
    """7 cells to each side see the second peak, with a share of 1 / (1 + exp(.01 / .02)); 5 do not."""
    view = two_peaks(backbone)
    found = window_soft_argmax.match(view, view, torch.tensor([[5.5, 10.5]]))
    torch.testing.assert_close(found.points, torch.tensor([[column + 0.5, 10.5]]), atol=2e-3, rtol=0)


@pytest.mark.parametrize(("value", "pixel"), [(1.0, 147.0), (0.1, 409.26)])
def test_worked_numbers_in_pixels(value, pixel):  # T5a and T5b on their 840-pixel canvas
    values = torch.zeros(60, 60, 61)
    values[..., 60] = 1.0
    values[10, 10, 60], values[10, 10, 0] = (1 - value**2) ** 0.5, value
    features = FeatureMap(values, (840, 840), "geoaware:one cell")
    query = torch.zeros(60, 60, 61)
    query[..., 0] = 1.0
    source = replace(features, values=query)
    found = window_soft_argmax.match(source, features, torch.zeros(1, 2))
    torch.testing.assert_close(found.points, torch.full((1, 2), pixel), atol=0.02, rtol=0)
