"""Losses with known numbers."""

import math

import pytest
import torch

from semcorr_ros.adapter.losses import end_point_error, soft_argmax, sparse_contrastive


def test_telling_two_apart_costs_what_a_softmax_says():
    features = torch.eye(2)
    wanted = math.log(1 + math.exp(-3.0))
    found = sparse_contrastive(features, features, torch.tensor(math.log(3.0)))
    assert float(found) == pytest.approx(wanted, rel=1e-5)
    swapped = sparse_contrastive(features, features.flip(0), torch.tensor(math.log(3.0)))
    assert float(swapped) == pytest.approx(wanted + 3.0, rel=1e-5)


def test_both_directions_count():
    source = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    target = torch.eye(2)
    there = -(math.log(math.e / (math.e + 1)) + math.log(1 / (math.e + 1))) / 2
    back = math.log(2)
    found = sparse_contrastive(source, target, torch.tensor(0.0))
    assert float(found) == pytest.approx((there + back) / 2, rel=1e-5)


def test_the_expected_place_lies_between_two_that_are_as_good():
    similarity = torch.full((1, 5, 7), -1.0)
    similarity[0, 1, 2] = similarity[0, 3, 6] = 1.0
    assert soft_argmax(similarity, 0.02)[0].tolist() == pytest.approx([4.0, 2.0], abs=1e-4)


def test_the_error_is_the_distance_in_cells():
    target = torch.zeros(4, 5, 3)
    target[..., 0] = 1.0
    target[2, 4] = torch.tensor([0.0, 1.0, 0.0])
    source = torch.tensor([[0.0, 1.0, 0.0]])
    found = end_point_error(source, target, torch.tensor([[1.0, -2.0]]), 0.02)
    assert float(found) == pytest.approx(5.0, abs=1e-4)
