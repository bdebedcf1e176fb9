import builders
import torch
from beast_views import mean_keypoints, shape_error

from semcorr_ros.methods.semalign3d.artifacts import BetaStatistics
from semcorr_ros.methods.semalign3d.building.beta_statistics import beta_statistics
from semcorr_ros.methods.semalign3d.building.config import BuildConfig
from semcorr_ros.methods.semalign3d.building.geometry_measures import edge_pair_measures
from semcorr_ros.methods.semalign3d.building.procrustes import normalize_shape
from semcorr_ros.methods.semalign3d.building.refine_shape import log_likelihood, refine_shape

PLACED = torch.ones(11, dtype=torch.bool)


def _statistics():
    generator = torch.Generator().manual_seed(1)
    shapes = torch.stack([builders.keypoints_of(builders.beast(generator, 0.05)) for _ in range(20)])
    return beta_statistics(shapes * 1.5, torch.ones(20, 11), 1, BuildConfig(), generator)


def test_refinement_raises_the_likelihood_and_lowers_the_error():
    statistics = _statistics()
    truth = normalize_shape(mean_keypoints(), PLACED)
    start = normalize_shape(
        truth + 0.1 * torch.randn(11, 3, generator=torch.Generator().manual_seed(2)), PLACED
    )
    refined = refine_shape(start, PLACED, statistics, 100)
    pairs = statistics.edge_pairs
    before, after = (log_likelihood(pairs, edge_pair_measures(s, pairs.indices)) for s in (start, refined))
    assert after > before
    assert shape_error(refined, truth) < shape_error(start, truth)
    assert abs(float(refined.square().sum(-1).mean()) - 1) < 1e-4


def test_without_statistics_the_start_stays():
    empty = _statistics()
    empty = BetaStatistics(
        *(type(f)(f.indices[:0], f.alpha[:0], f.beta[:0]) for f in (empty.edge_pairs, empty.frames))
    )
    start = normalize_shape(mean_keypoints(), PLACED)
    assert torch.allclose(refine_shape(start, PLACED, empty, 20), start, atol=1e-4)
