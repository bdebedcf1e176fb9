"""Every energy term: contract, known numbers, gradients."""

from dataclasses import replace

import pytest
import torch

from semcorr_ros.methods.semalign3d.alignment import AlignmentConfig, objective
from semcorr_ros.methods.semalign3d.alignment.evidence import EvidenceConfig, gather_evidence
from semcorr_ros.methods.semalign3d.alignment.state import BackgroundGrid, ImageSamples
from semcorr_ros.methods.semalign3d.alignment.terms import TERMS, background, depth, geometry, reconstruction
from semcorr_ros.methods.semalign3d.artifacts import BetaFamily
from test.methods.semalign3d.alignment import fabricated


@pytest.fixture(scope="module")
def scene():
    model = fabricated.make_class()
    seen, truth = fabricated.observe(model, 30, 20)
    evidence = gather_evidence(model, seen, EvidenceConfig(), torch.Generator().manual_seed(0))
    return model, evidence, truth


def _state(model, evidence, keypoints, sigma=0.05):
    focal = torch.full((len(keypoints),), evidence.focal).to(keypoints)
    surface = torch.full((len(keypoints),), evidence.object_depth).to(keypoints)
    return objective.make_state(model, keypoints, (focal, surface), evidence, (sigma, sigma))


@pytest.mark.parametrize("name", TERMS.names())
def test_contract(scene, name):
    """One finite value per hypothesis, a finite gradient, and hypotheses do not see each other."""
    model, evidence, truth = scene
    keypoints = torch.stack([truth.keypoints, truth.keypoints + 0.01, truth.keypoints * 1.2])
    keypoints.requires_grad_(True)
    term = TERMS.load(name)
    values = term.energy(_state(model, evidence, keypoints), evidence, model)
    assert values.shape == (3,)
    assert torch.isfinite(values).all()
    values[1].backward()
    assert torch.isfinite(keypoints.grad).all()
    assert keypoints.grad[[0, 2]].abs().max() == 0
    alone = term.energy(_state(model, evidence, keypoints[1:2].detach()), evidence, model)
    torch.testing.assert_close(alone[0], values[1].detach(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["reconstruction", "reconstruction_sparse"])
def test_truth_explains_more_than_a_shifted_hypothesis(scene, name):
    model, evidence, truth = scene
    shifted = truth.keypoints + torch.tensor([0.03, 0.0, 0.0])
    state = _state(model, evidence, torch.stack([truth.keypoints, shifted]))
    energy = TERMS.load(name).energy(state, evidence, model)
    assert energy[0] < energy[1] - 0.1


def test_reconstruction_equals_its_definition():
    """max over points of p_spatial p_sem, brute force, with and without relief (Eq. 5-7)."""
    generator = torch.Generator().manual_seed(3)
    placed = torch.rand(2, 7, 3, generator=generator)
    samples = ImageSamples(
        torch.rand(5, 2, generator=generator),
        -3 * torch.rand(5, 7, generator=generator),
        torch.rand(5, generator=generator),
        torch.tensor([0.0, 1.0, 1.0, 0.25, 0.0]),
        torch.tensor([False, True, True, True, False]),
    )
    focal, sigma = torch.tensor([1.0, 2.0]), 0.3
    log_visible = -torch.rand(2, 7, generator=generator)
    got = reconstruction.likelihood(placed, log_visible, samples, focal, sigma)
    for b in range(2):
        for m in range(5):
            distance = ((samples.points[m] - placed[b, :, :2]) ** 2).sum(-1)
            relief = (focal[b] * samples.relief[m] - placed[b, :, 2]) ** 2
            squared = distance + samples.relief_weight[m] * relief
            p = torch.exp(samples.log_semantic[m] + log_visible[b] - squared / (2 * sigma**2))
            assert got[b, m] == pytest.approx(float(p.max()), rel=1e-4)


def test_reconstruction_gradcheck():
    generator = torch.Generator().manual_seed(4)
    placed = torch.rand(1, 4, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    samples = ImageSamples(
        torch.rand(3, 2, generator=generator, dtype=torch.float64),
        torch.zeros(3, 4, dtype=torch.float64),
        torch.rand(3, generator=generator, dtype=torch.float64),
        torch.ones(3, dtype=torch.float64),
        torch.ones(3, dtype=torch.bool),
    )
    one, nothing = torch.ones(1, dtype=torch.float64), torch.zeros(1, 4, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda x: reconstruction.likelihood(x, nothing, samples, one, 0.4), (placed,)
    )


@pytest.mark.parametrize("sigma", [0.03, 0.1, 1.0])
def test_background_lookup_equals_equation_11(sigma):
    """At lookup nodes the value is the expectation over background pixels; in between it is close."""
    generator = torch.Generator().manual_seed(0)
    share = (torch.rand(20, 30, generator=generator) > 0.4).float()
    step = torch.tensor([1 / 30, 1 / 30])
    origin = torch.tensor([-0.48, -0.32])
    grid = BackgroundGrid(share, origin, step)
    y, x = torch.nonzero(share, as_tuple=True)
    cells = origin + torch.stack([x, y], -1) * step

    def expectation(points):
        return torch.exp(-(torch.cdist(points, cells) ** 2) / (2 * sigma**2)).mean(-1)

    nodes = origin + torch.tensor([[3.0, 4.0], [10.5, 7.0], [29.0, 19.0], [-2.0, 5.5]]) * step
    torch.testing.assert_close(
        background.lookup(nodes[None], grid, sigma)[0], expectation(nodes), rtol=1e-4, atol=1e-6
    )
    anywhere = origin + torch.rand(200, 2, generator=generator) * torch.tensor([29.0, 19.0]) * step
    error = (background.lookup(anywhere[None], grid, sigma)[0] - expectation(anywhere)).abs().max()
    assert error < 0.04 * expectation(anywhere).max()


def test_background_without_mask_is_silent(scene):
    model, evidence, truth = scene
    grid = replace(evidence.background, share=torch.zeros_like(evidence.background.share))
    state = _state(model, evidence, truth.keypoints[None])
    assert background.energy(state, replace(evidence, background=grid), model) == 0


def test_depth_is_zero_at_its_target(scene):
    model, evidence, truth = scene
    keypoints = truth.keypoints[None].clone()
    target = evidence.object_depth + depth.SURFACE_TO_CENTER
    keypoints[..., 2] += target - keypoints[..., 2].mean()
    assert depth.energy(_state(model, evidence, keypoints), evidence, model).item() == pytest.approx(
        0, abs=1e-6
    )
    keypoints[..., 2] += 2.0
    assert depth.energy(_state(model, evidence, keypoints), evidence, model).item() == pytest.approx(
        4, rel=1e-4
    )


def test_geometry_prefers_the_class_and_its_handedness(scene):
    model, evidence, _ = scene
    term = TERMS.load("geometry")
    there = torch.tensor([0.0, 0.0, 5.0])
    shape = model.sparse + there
    mirrored = model.sparse * torch.tensor([1.0, -1.0, 1.0]) + there
    squashed = model.sparse * torch.tensor([1.0, 1.0, 0.2]) + there
    energy = term.energy(_state(model, evidence, torch.stack([shape, mirrored, squashed])), evidence, model)
    assert energy[0] < energy[1]
    assert energy[0] < energy[2]


def test_objective_skips_terms_of_weight_zero(scene):
    model, evidence, truth = scene
    state = _state(model, evidence, truth.keypoints[None])
    total, values = objective.evaluate(state, evidence, model, {"depth": 2.0, "geometry": 0.0})
    assert set(values) == {"depth"}
    assert total == 2 * values["depth"]


def test_every_term_has_a_schedule():
    assert set(objective.SCHEDULE_OF_TERM) == set(TERMS.names())
    assert set(AlignmentConfig().objective.terms) == set(objective.SCHEDULE_OF_TERM)


@pytest.mark.parametrize("end", [0.0, 1.0])
def test_a_measure_at_its_end_costs_what_one_just_before_it_does(end):
    """Keypoints on a line have angles of exactly 0 and a half turn: the log density has no value there."""
    family = BetaFamily(torch.tensor([[0, 1, 2, 3]]), torch.tensor([[5.0, 2.0]]), torch.tensor([[3.0, 9.0]]))
    beta = torch.distributions.Beta(family.alpha[0].double(), family.beta[0].double())
    mode = torch.tensor([4 / 6, 1 / 9], dtype=torch.double)
    near = torch.full((2,), abs(end - 1e-4), dtype=torch.double)
    expected = float((beta.log_prob(mode) - beta.log_prob(near)).sum())
    found = geometry._penalty(torch.full((1, 1, 2), end), family)
    assert float(found) == pytest.approx(expected, rel=1e-3)
    assert float(geometry._penalty(mode.float()[None, None], family)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("alpha", "beta", "end"), [(500.0, 1.01, 1.0), (1.01, 500.0, 0.0)])
def test_a_measure_at_its_end_costs_nothing_where_that_is_as_likely_as_can_be(alpha, beta, end):
    """The mode of such a density lies nearer to the end than measures are told apart."""
    family = BetaFamily(torch.tensor([[0, 1, 2, 3]]), torch.tensor([[alpha]]), torch.tensor([[beta]]))
    assert float(geometry._penalty(torch.full((1, 1, 1), end), family)) == pytest.approx(0, abs=1e-4)


def test_combinations_are_averaged_and_measures_added():
    family = BetaFamily(torch.zeros(3, 4).long(), torch.full((3, 2), 5.0), torch.full((3, 2), 3.0))
    one = BetaFamily(family.indices[:1], family.alpha[:1, :1], family.beta[:1, :1])
    several = geometry._penalty(torch.full((1, 3, 2), 0.2), family)
    assert float(several) == pytest.approx(2 * float(geometry._penalty(torch.full((1, 1, 1), 0.2), one)))
