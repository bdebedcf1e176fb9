"""Keypoints that look like themselves from image to image are told from such that do not."""

import pytest
import torch

from semcorr_ros.methods.semalign3d.building.recognition import DOUBTFUL, recognition


def _features(noise, views=12, keypoints=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    own = torch.randn(1, keypoints, 32, generator=generator)
    values = own + noise * torch.randn(views, keypoints, 32, generator=generator)
    return torch.nn.functional.normalize(values, dim=-1)


def test_right_places_are_recognized_and_wrong_ones_are_not():
    right, wrong = recognition(_features(0.5), None), recognition(_features(1000.0), None)
    assert right.share > 0.95
    assert right.skill > 0.9
    assert right.by_chance == pytest.approx(1 / 6)
    assert wrong.skill < DOUBTFUL
    assert abs(wrong.share - 1 / 6) < 0.15


def test_an_image_is_not_compared_with_itself():
    # Every view has features of its own: with itself among the others it would be always right.
    found = recognition(_features(1000.0, views=3), None)
    assert found.share < 0.7


def test_a_mirror_partner_is_right_and_counts_as_chance():
    features = _features(0.1)
    exchanged = features.clone()
    exchanged[::2, [0, 1]] = features[::2, [1, 0]]
    told_apart, alike = recognition(exchanged, None), recognition(exchanged, (1, 0, 2, 3, 4, 5))
    assert told_apart.share < alike.share == 1.0
    assert alike.by_chance == pytest.approx((2 * 2 + 4) / 36)


def test_what_no_other_image_shows_is_not_asked_for():
    features = _features(0.1)
    features[1:, 0] = 0
    assert recognition(features, None).by_chance == pytest.approx(1 / 5)
    assert recognition(features[:1], None) is None
    assert recognition(torch.zeros(4, 5, 8), None) is None
