"""Umeyama: recovers a known similarity, never a reflection, respects weights."""

import torch

from semcorr_ros.geometry.rotations import from_vector, super_fibonacci
from semcorr_ros.geometry.similarity import apply_similarity, fit_similarity


def _points(count=9):
    return torch.randn(3, count, 3, generator=torch.Generator().manual_seed(1))


def test_recovers_a_batch():
    source, rotation = _points(), super_fibonacci(3)
    scale, translation = torch.tensor([0.5, 1.0, 3.0]), torch.randn(3, 3)
    found = fit_similarity(source, apply_similarity(source, scale, rotation, translation))
    for got, expected in zip(found, (scale, rotation, translation), strict=True):
        torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)


def test_mirrored_points_still_give_a_rotation():
    source = _points()
    _, rotation, _ = fit_similarity(source, source * torch.tensor([1.0, -1.0, 1.0]))
    torch.testing.assert_close(torch.linalg.det(rotation), torch.ones(3))


def test_points_of_weight_zero_do_not_count():
    source, rotation = _points(), super_fibonacci(3)
    target = apply_similarity(source, torch.ones(3), rotation, torch.zeros(3, 3))
    target[:, 0] += 100
    weights = torch.ones(9)
    weights[0] = 0
    torch.testing.assert_close(fit_similarity(source, target, weights)[1], rotation, atol=1e-4, rtol=1e-4)


def test_weights_are_those_of_least_squares():
    """Twice the weight is the same as the point twice."""
    source = _points()
    target = source @ super_fibonacci(3).mT + 0.3 * _points().flip(1)
    weights = torch.ones(9)
    weights[2] = 2.0
    doubled = [torch.cat([points, points[:, 2:3]], 1) for points in (source, target)]
    for got, expected in zip(fit_similarity(source, target, weights), fit_similarity(*doubled), strict=True):
        torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)


def test_nothing_but_the_best_fit():
    """No other scale, turn or place is better, also where a reflection would be."""
    source = _points()
    for target in (
        source @ super_fibonacci(3).mT + 0.5 * _points().flip(1),
        source * torch.tensor([1.0, -1, 1]),
    ):
        scale, rotation, translation = fit_similarity(source, target)

        def error(*moved, target=target):
            return ((apply_similarity(source, *moved) - target) ** 2).sum((1, 2))

        least = error(scale, rotation, translation)
        for factor in (0.98, 1.02):
            assert (error(factor * scale, rotation, translation) > least).all()
        for axis in torch.eye(3):
            for step in (-0.02, 0.02):
                assert (error(scale, rotation, translation + step * axis) > least).all()
                turned = from_vector(step * axis) @ rotation
                assert (error(scale, turned, translation) >= least - 1e-5).all()
