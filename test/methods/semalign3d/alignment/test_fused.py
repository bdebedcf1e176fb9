"""The Triton engine computes what the plain one does; interpreted here, where there is no GPU."""

from dataclasses import replace

import pytest
import torch

from semcorr_ros.devices import moved
from semcorr_ros.methods.semalign3d.alignment import AlignmentConfig, reference
from semcorr_ros.methods.semalign3d.alignment.optimize import OptimizeConfig
from semcorr_ros.methods.semalign3d.alignment.plan import TERMS
from test.methods.semalign3d.alignment import by_autograd, fabricated

pytest.importorskip("triton", reason="pip install triton")

from semcorr_ros.methods.semalign3d.alignment import fused
from semcorr_ros.methods.semalign3d.alignment.fused import descent

CONFIG = AlignmentConfig()
BEST = "cuda" if torch.cuda.is_available() else "cpu"


@pytest.fixture(scope="module")
def model():
    return moved(fabricated.make_class(), BEST)


@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize("parametrization", ["shape_space", "free_keypoints"])
def test_gradient_of_every_term_agrees(model, term, parametrization):
    _compare_gradient(model, by_autograd.evidence_of(model), parametrization, (term,))


@pytest.mark.parametrize("evidence_given", [(True, False, True), (False, False, True), (False, True, False)])
def test_gradient_of_the_whole_objective_agrees(model, evidence_given):
    camera, depth, visibility = evidence_given
    _compare_gradient(
        model,
        by_autograd.evidence_of(model, camera, depth, visibility),
        "shape_space",
        CONFIG.objective.terms,
    )


def test_gradient_of_a_relative_depth_agrees(model):
    evidence = replace(by_autograd.evidence_of(model), relative_depth=True)
    _compare_gradient(model, evidence, "shape_space", ("depth",))


def _compare_gradient(model, evidence, parametrization, terms):
    config = replace(CONFIG.optimize, parametrization=parametrization)
    terms = replace(CONFIG.objective, terms=terms)
    search = descent.start(model, by_autograd.starts(model, evidence, 2), config)
    search.numbers.copy_(by_autograd.shaken(search.numbers))
    at = search.numbers, search.surface
    total, gradient = by_autograd.value_and_gradient(model, evidence, at, parametrization, terms)
    everything = torch.arange(len(evidence.dense.points)).expand(1, 2, -1)
    descent.Work.prepare(model, evidence, (config, terms)).launch(search, 200, everything)
    assert gradient.abs().max() > 1e-5
    torch.testing.assert_close(search.value, total, rtol=2e-4, atol=2e-5)
    scale = gradient.abs().amax()
    # After Adam's first step from rest, the first moment is a tenth of the gradient.
    torch.testing.assert_close(10 * search.first / scale, gradient / scale, rtol=1e-3, atol=1e-4)


def test_the_first_steps_and_a_cut_agree(model):
    evidence = by_autograd.evidence_of(model, camera=False)
    config = OptimizeConfig(steps=6, survivors=((984, 2),), lr=0.005, begin=976.0, batch=64, weight_decay=2.0)
    plain, fast = (
        work.optimize(
            model, evidence, by_autograd.starts(model, evidence, 3), (config, CONFIG.objective),
            torch.Generator().manual_seed(5),
        )
        for work in (reference, fused)
    )  # fmt: skip
    assert len(fast.keypoints) == 2
    torch.testing.assert_close(fast.keypoints, plain.keypoints, rtol=1e-3, atol=2e-3)
    torch.testing.assert_close(fast.focal, plain.focal, rtol=1e-3, atol=1e-4)
