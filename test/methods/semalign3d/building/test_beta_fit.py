import torch
from torch.distributions import Beta

from semcorr_ros.methods.semalign3d.building import beta_statistics
from semcorr_ros.methods.semalign3d.building.beta_statistics import cap_concentration, fit_beta, widen

SHAPES = torch.tensor([[5.0, 2.0], [40.0, 60.0], [1.5, 1.2], [200.0, 10.0]])


def _samples(count):
    torch.manual_seed(0)
    return Beta(SHAPES[:, :1], SHAPES[:, 1:]).sample((count,))  # (sample, 4, 1)


def test_parameters_of_many_betas_are_recovered_at_once():
    samples = _samples(20000)
    alpha, beta = fit_beta(samples, torch.ones_like(samples))
    assert torch.allclose(torch.cat([alpha, beta], 1), SHAPES.double(), rtol=0.06)


def test_the_fit_is_a_maximum_of_the_likelihood():
    samples = _samples(30).double()
    alpha, beta = fit_beta(samples, torch.ones_like(samples))

    def likelihood(a, b):
        return Beta(a, b).log_prob(samples).sum(0)

    best = likelihood(alpha, beta)
    for change in (0.97, 1.03):
        assert (likelihood(alpha * change, beta) < best).all()
        assert (likelihood(alpha, beta * change) < best).all()


def test_weights_choose_the_samples():
    samples = _samples(400)
    weight = torch.zeros_like(samples)
    weight[:200] = 1
    half = fit_beta(samples[:200], torch.ones_like(samples[:200]))
    assert torch.allclose(fit_beta(samples, weight)[0], half[0])


def test_constant_or_missing_samples_fail_alone():
    samples = _samples(100)
    samples[:, 1] = 0.3
    weight = torch.ones_like(samples)
    weight[:, 2] = 0
    alpha, beta = fit_beta(samples, weight)
    assert torch.isnan(alpha[1:3]).all()
    assert torch.isnan(beta[1:3]).all()
    assert torch.isfinite(alpha[[0, 3]]).all()


def test_widening_multiplies_the_variance_and_the_cap_keeps_the_mean():
    alpha, beta = torch.tensor([50.0]), torch.tensor([150.0])
    wide = Beta(*widen(alpha, beta, torch.tensor(2.0)))
    assert torch.allclose(wide.variance, 2 * Beta(alpha, beta).variance, rtol=1e-4)
    assert torch.allclose(wide.mean, torch.tensor([0.25]))
    a, b = cap_concentration(alpha, beta, 30.0)
    assert torch.allclose(torch.cat([a, b]), torch.tensor([10.0, 30.0]))


def test_newton_starts_at_the_moments(monkeypatch):
    """Mean 1/2 and variance 1/16 are those of Beta(1.5, 1.5), mean 1/4 and variance 1/48 of Beta(2, 6)."""
    monkeypatch.setattr(beta_statistics, "NEWTON_STEPS", 0)
    step = (1 / 48) ** 0.5
    samples = torch.tensor([[[0.25], [0.25 - step]], [[0.75], [0.25 + step]]], dtype=torch.float64)
    alpha, beta = fit_beta(samples, torch.ones_like(samples))
    torch.testing.assert_close(alpha, torch.tensor([[1.5], [2.0]]).double())
    torch.testing.assert_close(beta, torch.tensor([[1.5], [6.0]]).double())


def test_no_variance_is_left_by_an_extreme_widening():
    """The concentration stays positive however much is asked for."""
    alpha, beta = widen(torch.tensor([1.0]), torch.tensor([3.0]), torch.tensor(1e6))
    torch.testing.assert_close(alpha + beta, torch.tensor([1e-3]))
    torch.testing.assert_close(alpha / beta, torch.tensor([1 / 3]))
