"""The Triton engine computes what the plain one does; interpreted here, where there is no GPU."""

from dataclasses import replace

import pytest
import torch

from semcorr_ros import alignment
from semcorr_ros.alignment import evidence, initialize, objective, reference
from semcorr_ros.alignment.free_keypoints import FreeKeypoints
from semcorr_ros.alignment.optimize import Config
from semcorr_ros.alignment.plan import TERMS
from semcorr_ros.alignment.shape_space import ShapeSpace
from semcorr_ros.devices import moved
from test.alignment import fabricated

pytest.importorskip("triton", reason="pip install triton")

from semcorr_ros.alignment import fused
from semcorr_ros.alignment.fused import descent

CONFIG = alignment.Config()
BEST = "cuda" if torch.cuda.is_available() else "cpu"


@pytest.fixture(scope="module")
def model():
    return moved(fabricated.make_class(), BEST)


def _clues(model, camera=True, depth=True, visibility=True):
    seen, _ = fabricated.observe(moved(model, "cpu"), 70, 25, (0.5, -1.0))
    seen = replace(seen, camera=seen.camera if camera else None, depth=seen.depth if depth else None)
    config = evidence.Config(visibility=visibility)
    return evidence.gather_evidence(model, moved(seen, BEST), config, torch.Generator().manual_seed(1))


def _starts(model, clues, count=2):
    return initialize.choose_starts(
        model, clues, initialize.Config(count=count), torch.Generator().manual_seed(2), reference.score
    )


@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize("parametrization", ["shape_space", "free_keypoints"])
def test_gradient_of_every_term_agrees(model, term, parametrization):
    _compare_gradient(model, _clues(model), parametrization, (term,))


@pytest.mark.parametrize("evidence_given", [(True, False, True), (False, False, True), (False, True, False)])
def test_gradient_of_the_whole_objective_agrees(model, evidence_given):
    camera, depth, visibility = evidence_given
    _compare_gradient(model, _clues(model, camera, depth, visibility), "shape_space", CONFIG.objective.terms)


def _compare_gradient(model, clues, parametrization, terms):
    config = replace(CONFIG.optimize, parametrization=parametrization)
    terms = replace(CONFIG.objective, terms=terms)
    search = descent.start(model, _starts(model, clues), config)
    noise = torch.randn(search.numbers.shape, generator=torch.Generator().manual_seed(4))
    search.numbers.add_(0.03 * noise.to(BEST))
    total, gradient = _by_autograd(model, clues, search, parametrization, terms)
    everything = torch.arange(len(clues.dense.points)).expand(1, 2, -1)
    descent.Work.prepare(model, clues, (config, terms)).launch(search, 200, everything)
    assert gradient.abs().max() > 1e-5
    torch.testing.assert_close(search.value, total, rtol=2e-4, atol=2e-5)
    scale = gradient.abs().amax()
    # After Adam's first step from rest, the first moment is a tenth of the gradient.
    torch.testing.assert_close(10 * search.first / scale, gradient / scale, rtol=1e-3, atol=1e-4)


def test_the_first_steps_and_a_cut_agree(model):
    clues = _clues(model, camera=False)
    config = Config(steps=6, survivors=((984, 2),), lr=0.005, begin=976.0, batch=64)
    plain, fast = (
        work.optimize(
            model, clues, _starts(model, clues, 3), (config, CONFIG.objective),
            torch.Generator().manual_seed(5),
        )
        for work in (reference, fused)
    )  # fmt: skip
    assert len(fast.keypoints) == 2
    torch.testing.assert_close(fast.keypoints, plain.keypoints, rtol=1e-3, atol=2e-3)
    torch.testing.assert_close(fast.focal, plain.focal, rtol=1e-3, atol=1e-4)


def _by_autograd(model, clues, search, parametrization, terms):
    rows = search.numbers.clone().requires_grad_()
    focal, surface = rows[:, -1].exp(), search.surface
    when = 200 * 1000.0 / CONFIG.optimize.steps
    sigmas = objective.sigmas_at(terms, when, clues)
    keypoints = _unpacked(model, rows, parametrization).keypoints(model)
    state = objective.make_state(model, keypoints, (focal, surface), clues, sigmas)
    total, _ = objective.evaluate(state, clues, model, objective.weights_at(terms, when))
    (gradient,) = torch.autograd.grad(total.sum(), rows)
    return total.detach(), gradient


def _unpacked(model, rows, parametrization):
    keypoints = model.sparse.shape
    if parametrization == "free_keypoints":
        return FreeKeypoints(rows[:, :-1].reshape(-1, *keypoints))
    m = len(model.shape_modes)
    return ShapeSpace(
        rows[:, :4], rows[:, 4:7], rows[:, 7], rows[:, 8 : 8 + m], rows[:, 8 + m : -1].reshape(-1, *keypoints)
    )
