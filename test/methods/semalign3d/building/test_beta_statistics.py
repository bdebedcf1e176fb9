import itertools
from collections import Counter

import builders
import pytest
import torch
from beast_views import views_of

from semcorr_ros.methods.semalign3d.building.beta_statistics import _moments, beta_statistics
from semcorr_ros.methods.semalign3d.building.combinations import all_edge_pairs, select_informative
from semcorr_ros.methods.semalign3d.building.config import BuildConfig
from semcorr_ros.methods.semalign3d.building.geometry_measures import edge_pair_measures, frame_measures


def _canonical(pictures):
    """Complete instances in the canonical frame."""
    views = views_of(pictures, everything=True)
    points = torch.stack([(p.keypoints - p.keypoints.mean(0)) @ p.rotation for p in pictures])
    return points / points.square().sum(-1).mean().sqrt(), views.visible.float()


def _fit(points, weight, **changes):
    return beta_statistics(points, weight, 1, BuildConfig(**changes), torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def fitted():
    points, weight = _canonical(builders.pictures(25, 0, 0.1))
    return points, _fit(points, weight)


@pytest.mark.parametrize(
    ("family", "measures"), [("edge_pairs", edge_pair_measures), ("frames", frame_measures)]
)
def test_means_and_spreads_are_those_of_the_views(fitted, family, measures):
    points, statistics = fitted
    betas = getattr(statistics, family)
    values = measures(points, betas.indices)
    total = betas.alpha + betas.beta
    assert (betas.alpha / total - values.mean(0)).abs().quantile(0.95) < 0.02
    std = (betas.alpha * betas.beta / (total**2 * (total + 1))).sqrt()
    # The noise widens the spread, and the cap on alpha and beta keeps it from vanishing.
    assert (std >= 0.9 * values.std(0).clamp_max(0.1)).float().mean() > 0.95
    assert std.median() < 2 * values.std(0).median()


def test_parameters_are_usable_and_capped(fitted):
    _, statistics = fitted
    for family in (statistics.edge_pairs, statistics.frames):
        assert len(family.indices) > 100
        for values in (family.alpha, family.beta):
            assert (values > 1).all()
            assert (values <= BuildConfig().max_concentration + 1e-3).all()


def test_frames_tell_the_handedness(fitted):
    points, statistics = fitted
    betas = torch.distributions.Beta(statistics.frames.alpha, statistics.frames.beta)
    right, wrong = (
        frame_measures(points.mean(0) * torch.tensor([1.0, s, 1]), statistics.frames.indices) for s in (1, -1)
    )
    assert (
        betas.log_prob(right.clamp(1e-4, 1 - 1e-4)).mean()
        > betas.log_prob(wrong.clamp(1e-4, 1 - 1e-4)).mean() + 5
    )


def test_invisible_keypoints_have_no_say():
    points, weight = _canonical(builders.pictures(12, 0, 0.1))
    broken, partial = points.clone(), weight.clone()
    partial[::2, 4], broken[::2, 4] = 0, 1e3
    partial[:, 7], broken[:, 7] = 0, torch.tensor([5.0, -3, 8])
    clean = points.clone()
    clean[::2, 4], clean[:, 7] = 0, 0
    first, second = _fit(broken, partial), _fit(clean, partial)
    assert torch.allclose(first.edge_pairs.alpha, second.edge_pairs.alpha, rtol=1e-3)
    assert not (first.edge_pairs.indices == 7).any()
    assert not (first.frames.indices == 7).any()


def test_thirty_keypoints_stay_within_the_budget_and_every_pair_is_covered():
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(30, 3, generator=generator) + 0.1 * torch.randn(8, 30, 3, generator=generator)
    statistics = _fit(points, torch.ones(8, 30), max_combinations=2000)
    rows = statistics.edge_pairs.indices
    assert 1500 < len(rows) <= 2000
    together = torch.zeros(30, 30, dtype=torch.bool)
    for a in range(4):
        for b in range(4):
            together[rows[:, a], rows[:, b]] = True
    assert together.all()
    assert len(statistics.frames.indices.unique()) == 30


def test_identical_views_are_not_overconfident_and_two_views_are_enough():
    points, _ = _canonical(builders.pictures(1, 0, 0.0))
    statistics = _fit(points.repeat(2, 1, 1), torch.ones(2, 11))
    total = statistics.edge_pairs.alpha + statistics.edge_pairs.beta
    assert len(total) > 100
    assert total.median() < 600


def test_no_common_view_gives_empty_families():
    points, _ = _canonical(builders.pictures(3, 0, 0.0))
    statistics = _fit(points, torch.eye(3, 11))
    assert statistics.edge_pairs.alpha.shape == (0, 2)
    assert statistics.frames.beta.shape == (0, 3)


@pytest.mark.parametrize(("keypoints", "budget", "per_pair"), [(7, 84, 2), (7, 83, 1), (6, 8, 1), (4, 7, 1)])
def test_half_of_the_budget_goes_round_the_pairs_of_keypoints(keypoints, budget, per_pair):
    """One by one: a row belongs to the round if some pair in it is among the first so often.

    The smallest spreads are those of the last rows, which are all of the same few keypoints.
    """
    rows = all_edge_pairs(keypoints)
    spread = 1 - torch.arange(len(rows)) / len(rows)
    order, often, round_, rest = spread.argsort().tolist(), Counter(), [], []
    for row in order:
        pairs = {
            frozenset(pair) for pair in itertools.combinations(rows[row].tolist(), 2) if len({*pair}) > 1
        }
        fresh = any(often[pair] < per_pair for pair in pairs)
        often.update(pairs)
        (round_ if fresh else rest).append(row)
    first = round_[: budget // 2]
    rest = [row for row in order if row not in first]
    expected = sorted(first + rest[: budget - len(first)])
    assert select_informative(rows, spread, budget, keypoints).tolist() == expected


def test_which_combinations_are_tried_depends_on_the_given_generator_alone():
    points = torch.randn(30, 3, generator=torch.Generator().manual_seed(0))
    points = points + 0.1 * torch.randn(8, 30, 3, generator=torch.Generator().manual_seed(1))
    found = []
    with torch.random.fork_rng():
        for seed in (1, 2):
            torch.manual_seed(seed)
            found.append(_fit(points, torch.ones(8, 30), max_combinations=50))
    assert torch.equal(found[0].edge_pairs.indices, found[1].edge_pairs.indices)
    assert torch.equal(found[0].frames.alpha, found[1].frames.alpha)


def test_the_spread_of_a_measure_is_about_its_mean_over_the_views_that_show_it():
    """One of three views does not show a keypoint: the others measure 0.2 and 0.6."""
    rows, weight = torch.tensor([[0, 1, 2, 3]]), torch.ones(3, 4)
    weight[1, 2] = 0

    def measures(points, indices):
        return points[:, :1, :1].expand(-1, len(indices), 2)

    points = torch.tensor([0.2, 9.0, 0.6])[:, None, None].expand(3, 4, 3)
    counts, spreads = _moments(rows, measures, points, weight)
    torch.testing.assert_close(counts, torch.tensor([2.0]))
    torch.testing.assert_close(spreads, torch.tensor([0.2]))
