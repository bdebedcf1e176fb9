import math

import pytest
import torch

from semcorr_ros.evaluation import THRESHOLDS, pck


def outcome(*values):
    return torch.tensor(values, dtype=torch.bool)


def test_box_size_is_its_longer_side():
    assert pck.box_size((10, 20, 310, 170)) == pck.box_size((20, 10, 170, 310)) == 300


def test_an_error_equal_to_the_radius_is_wrong():
    """A box of 300 pixels and alpha 0.1: 30 pixels, here along a 3-4-5 triangle."""
    target = torch.zeros(3, 2)
    predicted = torch.tensor([[18.0, 24.0], [18.0, 23.99], [0.0, -30.0]])
    assert pck.correct(predicted, target, 30.0).tolist() == [False, True, False]


def test_nan_is_wrong():
    assert pck.correct(torch.full((1, 2), torch.nan), torch.zeros(1, 2), 1e9).tolist() == [False]
    assert pck.correct_dagger(torch.full((1, 2), torch.nan), torch.zeros(1, 2), 1e9).tolist() == [False]


def test_the_same_points_in_a_scaled_frame_give_the_same_result():
    """The 840-pixel frame of GeoAware-SC multiplies everything, the radius included."""
    generator = torch.Generator().manual_seed(0)
    target = 500 * torch.rand(50, 2, generator=generator)
    predicted = target + 30 * torch.randn(50, 2, generator=generator)
    scaled = pck.correct(1.68 * predicted, 1.68 * target, 1.68 * 30)
    assert torch.equal(scaled, pck.correct(predicted, target, 30.0))
    assert 0 < scaled.sum() < 50


def test_per_image_and_per_keypoint_are_different_means():
    outcomes = [outcome(1, 1), outcome(1, 0, 0, 0)]
    assert pck.per_image(outcomes) == pytest.approx(0.625)
    assert pck.per_keypoint(outcomes) == pytest.approx(0.5)


def test_a_pair_without_common_keypoints_does_not_count():
    outcomes = [outcome(), outcome(1, 0)]
    assert pck.per_image(outcomes) == 0.5
    assert pck.per_keypoint(outcomes) == 0.5
    assert math.isnan(pck.per_image([outcome()]))
    assert math.isnan(pck.per_keypoint([]))


def test_dagger_wants_the_own_keypoint_to_be_the_nearest():
    target = torch.tensor([[100.0, 100.0], [120.0, 100.0]])
    predicted = torch.tensor([[112.0, 100.0], [121.0, 100.0]])
    assert pck.correct(predicted, target, 20.0).tolist() == [True, True]
    assert pck.correct_dagger(predicted, target, 20.0).tolist() == [False, True]


def test_dagger_never_exceeds_pck():
    generator = torch.Generator().manual_seed(1)
    target, predicted = 100 * torch.rand(2, 40, 2, generator=generator)
    dagger = pck.correct_dagger(predicted, target, 30.0)
    assert (dagger <= pck.correct(predicted, target, 30.0)).all()
    assert pck.correct_dagger(target[:0], target[:0], 30.0).shape == (0,)


def test_size_is_of_the_box_or_of_the_image():
    assert pck.size_of("bbox", (10, 20, 310, 170), (400, 500)) == 300
    assert pck.size_of("image", (10, 20, 310, 170), (400, 500)) == 500
    with pytest.raises(ValueError, match="unknown threshold 'mask'; choose from bbox, image"):
        pck.size_of("mask", (0, 0, 1, 1), (1, 1))


def test_fractions_are_those_of_the_published_tables():
    assert THRESHOLDS == {"bbox": (0.1, 0.05, 0.01), "image": (0.15, 0.1, 0.05)}


def test_mistakes_at_exactly_one_and_two_radii():
    """One radius away is a miss, as it is no hit; two radii away is still jitter."""
    target = torch.tensor([[100.0, 100.0], [140.0, 100.0]])
    answers = torch.tensor([[100.0, 108.0], [100.0, 116.0], [140.0, 108.0]])
    found = [pck.errors(torch.stack([a, target[1]]), target, 8.0) for a in answers]
    kinds = [[kind for kind, which in one.items() if which[0]] for one in found]
    assert kinds == [["miss", "jitter"], ["miss", "jitter"], ["miss"]]
    empty = pck.errors(target[:0], target[:0], 8.0)
    assert {values.dtype for values in empty.values()} == {torch.bool}


def test_kinds_of_mistakes():
    """Targets 20 pixels apart, radius 8: right, between both, on the other one, far from both, no answer."""
    target = torch.tensor([[100.0, 100.0], [120.0, 100.0]])
    answers = torch.tensor([[101.0, 100.0], [109.0, 100.0], [120.0, 100.0], [100.0, 150.0], [torch.nan] * 2])
    found = [pck.errors(torch.stack([a, target[1]]), target, 8.0) for a in answers]
    kinds = [[kind for kind, which in one.items() if which[0]] for one in found]
    assert kinds == [[], ["miss", "jitter"], ["swap"], ["miss"], ["miss"]]
    assert not any(one[kind][1] for one in found for kind in one)
    assert pck.errors(target[:0], target[:0], 8.0)["swap"].shape == (0,)
