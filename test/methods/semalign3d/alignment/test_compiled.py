"""The compiled engine computes what the plain one does: values, gradients, steps, survivors."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from semcorr_ros.devices import moved
from semcorr_ros.geometry.rotations import from_quaternion
from semcorr_ros.methods.semalign3d import alignment
from semcorr_ros.methods.semalign3d.alignment import (
    AlignmentConfig,
    compiled,
    engine,
    initialize,
    numbers,
    reference,
    schedules,
)
from semcorr_ros.methods.semalign3d.alignment.compiled import descent, layout
from semcorr_ros.methods.semalign3d.alignment.compiled.tables import class_tables, image_tables
from semcorr_ros.methods.semalign3d.alignment.optimize import OptimizeConfig
from semcorr_ros.methods.semalign3d.alignment.plan import TERMS, Planner
from semcorr_ros.methods.semalign3d.artifacts import BetaFamily
from test.methods.semalign3d.alignment import by_autograd, fabricated
from test.methods.semalign3d.alignment.kernels import forgotten_kernels

CONFIG = AlignmentConfig()


@pytest.fixture(scope="module")
def model():
    return fabricated.make_class()


@pytest.mark.parametrize("visibility", [True, False])
@pytest.mark.parametrize("camera", [True, False])
def test_scores_of_starts_agree(model, camera, visibility):
    evidence = by_autograd.evidence_of(model, camera=camera, visibility=visibility)
    rotations = from_quaternion(torch.randn(40, 4, generator=torch.Generator().manual_seed(3)))
    starts = initialize.place(rotations, torch.full((40,), evidence.focal or 2.0), evidence)
    expected = reference.score(model, evidence, starts, 0.1, 64)
    found = compiled.score(model, evidence, starts, 0.1, 64)
    assert expected.std() > 1e-3
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize("parametrization", ["shape_space", "free_keypoints"])
def test_gradient_of_every_term_agrees(model, term, parametrization):
    _compare_gradient(model, by_autograd.evidence_of(model), parametrization, (term,))


@pytest.mark.parametrize("evidence_given", [(True, False, True), (False, False, True), (False, True, False)])
def test_gradient_of_the_whole_objective_agrees(model, evidence_given):
    camera, depth, visibility = evidence_given
    evidence = by_autograd.evidence_of(model, camera, depth, visibility)
    _compare_gradient(model, evidence, "shape_space", CONFIG.objective.terms)


def test_gradient_of_a_relative_depth_agrees(model):
    evidence = replace(by_autograd.evidence_of(model), relative_depth=True)
    _compare_gradient(model, evidence, "shape_space", ("depth",))


def _compare_gradient(model, evidence, parametrization, terms):
    """At shaken numbers, on all image points, late in the schedule where every term has a weight."""
    config = replace(CONFIG.optimize, parametrization=parametrization)
    terms = replace(CONFIG.objective, terms=terms)
    search = descent._start(model, by_autograd.starts(model, evidence, 3), config)
    search.numbers[:] = by_autograd.shaken(torch.from_numpy(search.numbers)).numpy()
    at = torch.from_numpy(search.numbers.copy()), torch.from_numpy(search.surface)
    total, gradient = by_autograd.value_and_gradient(model, evidence, at, parametrization, terms)
    rates = numbers.rates(model, evidence, config).numpy()
    everything = torch.arange(len(evidence.dense.points)).expand(1, 2, -1)
    plan = descent.plan(Planner(evidence, (config, terms)).plan(200, 1), 200, rates, everything)
    known, image = class_tables(model, evidence.visibility), image_tables(evidence)
    free = parametrization == "free_keypoints"
    addresses = layout.of_class(known), layout.of_image(image, known)
    descent.descend(search, known, addresses, plan, free)
    # After Adam's first step from rest, the first moment is a tenth of the gradient.
    assert gradient.abs().max() > 1e-5
    assert plan.done == 200
    torch.testing.assert_close(torch.from_numpy(search.value), total, rtol=2e-4, atol=2e-5)
    scale = gradient.abs().amax()
    torch.testing.assert_close(
        10 * torch.from_numpy(search.first) / scale, gradient / scale, rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize("decay", [0.0, 3.0])
@pytest.mark.parametrize("camera", [True, False])
@pytest.mark.parametrize("parametrization", ["shape_space", "free_keypoints"])
def test_the_first_steps_agree(model, parametrization, camera, decay):
    evidence = by_autograd.evidence_of(model, camera=camera)
    config = OptimizeConfig(
        parametrization=parametrization, steps=250, survivors=((16, 2),), lr=0.005, weight_decay=decay
    )
    results, energies = [], []
    for work in (reference, compiled):
        energies_by_step = []

        def stop(done, steps, best, energies_by_step=energies_by_step):
            energies_by_step.append((done, best))
            return done < 10

        results.append(
            work.optimize(
                model, evidence, by_autograd.starts(model, evidence, 4), (config, CONFIG.objective),
                torch.Generator().manual_seed(5), stop,
            )
        )  # fmt: skip
        energies.append(dict(energies_by_step))
    plain, fast = results
    assert len(fast.keypoints) == 2
    torch.testing.assert_close(fast.keypoints, plain.keypoints, rtol=1e-3, atol=2e-3)
    torch.testing.assert_close(fast.focal, plain.focal, rtol=1e-3, atol=1e-4)
    for done, best in energies[1].items():
        assert best == pytest.approx(energies[0][done], abs=2e-4)


def test_threads_change_nothing(model):
    evidence = by_autograd.evidence_of(model)
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            config = replace(CONFIG.optimize, steps=20)
            found.append(
                compiled.optimize(
                    model, evidence, by_autograd.starts(model, evidence, 16), (config, CONFIG.objective),
                    torch.Generator().manual_seed(6),
                ).keypoints
            )  # fmt: skip
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*found)


def test_final_energy_is_as_low(model):
    best = {}
    for name in ("reference", "compiled"):
        energies = []
        for azimuth in (20, 110, 200, 300):
            seen, _ = fabricated.observe(model, azimuth, 15, (1.0, -0.5))
            config = replace(CONFIG, engine=name)
            found = alignment.align(model, seen, config, torch.Generator().manual_seed(7))
            energies.append(float(found.energy[0]))
        best[name] = np.mean(energies)
    assert best["compiled"] <= best["reference"] + 0.005 * abs(best["reference"])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_class_on_a_gpu_is_aligned_alike(model):
    found, (seen, _) = {}, fabricated.observe(model, 70, 25, (0.5, -1.0))
    for device in ("cpu", "cuda"):
        there, seen = moved(model, device), moved(seen, device)
        found[device] = alignment.align(there, seen, CONFIG, torch.Generator().manual_seed(8))
        assert found[device].keypoints.device.type == device
    torch.testing.assert_close(found["cuda"].keypoints[0].cpu(), found["cpu"].keypoints[0], atol=5e-3, rtol=0)


def test_engine_is_chosen_by_what_it_can_do(model):
    ours = CONFIG.objective
    assert engine.choose("auto", ours) is compiled
    assert engine.choose("reference", ours) is reference
    tied = replace(ours, schedules=replace(schedules.Schedules(), symmetry=((0, 0.1),)))
    assert engine.choose("auto", tied) is reference
    with pytest.raises(ValueError, match=r"does not know the terms symmetry.*'reference'"):
        engine.choose("compiled", tied)
    with pytest.raises(ValueError, match=r"unknown engine 'gpu'; available: auto, reference, compiled, fu"):
        engine.choose("gpu", ours)


def test_without_a_compiler_it_says_so_and_goes_on(model, monkeypatch, caplog, tmp_path):
    with forgotten_kernels(monkeypatch, tmp_path):
        monkeypatch.setenv("CXX", "a-compiler-that-is-not-there")
        assert engine.choose("auto", CONFIG.objective) is reference
        assert engine.choose("auto", CONFIG.objective) is reference
        assert [record.message.count("apt install g++") for record in caplog.records] == [1]
        with pytest.raises(ValueError, match=r"a-compiler-that-is-not-there.*use 'auto' or 'reference'"):
            engine.choose("compiled", CONFIG.objective)


@pytest.mark.parametrize("family", ["edge_pairs", "frames"])
def test_tables_hold_the_densities_at_the_modes_and_how_often_edges_are_used(model, family):
    betas, table = getattr(model.statistics, family), getattr(class_tables(model, True), family)
    beta = torch.distributions.Beta(betas.alpha.double(), betas.beta.double())
    mode = ((betas.alpha - 1) / (betas.alpha + betas.beta - 2)).double().clamp(1e-4, 1 - 1e-4)
    constant = torch.lgamma(beta.concentration1) + torch.lgamma(beta.concentration0)
    constant = constant - torch.lgamma(beta.concentration1 + beta.concentration0)
    at_mode = (beta.log_prob(mode) + constant).mean(0).sum()
    assert table.at_mode == pytest.approx(float(at_mode), rel=1e-4)
    assert table.weight.sum() == pytest.approx(1, abs=1e-5)
    assert table.alpha.sum() == pytest.approx(float((betas.alpha - 1).mean(0).sum()), rel=1e-4)
    assert table.beta.sum() == pytest.approx(float((betas.beta - 1).mean(0).sum()), rel=1e-4)


def test_a_class_without_statistics_has_empty_tables(model):
    nothing = BetaFamily(torch.zeros(0, 4, dtype=torch.long), torch.zeros(0, 2), torch.zeros(0, 2))
    table = class_tables(
        replace(model, statistics=replace(model.statistics, edge_pairs=nothing)), True
    ).edge_pairs
    assert table.at_mode == 0
    assert not table.weight.any()
    assert table.alpha.size == 0


def test_a_mode_at_the_end_is_cut_off_as_in_the_plain_term(model):
    peaked = BetaFamily(torch.arange(4)[None], torch.tensor([[500.0, 1.01]]), torch.tensor([[1.01, 500.0]]))
    tables = class_tables(replace(model, statistics=replace(model.statistics, edge_pairs=peaked)), True)
    end = 499 * np.log(1 - 1e-4) + 0.01 * np.log(1e-4)
    assert tables.edge_pairs.at_mode == pytest.approx(2 * end, rel=1e-3)
    assert len(tables.edge_pairs.weight) == len(model.sparse) ** 2
    used = {0 * len(model.sparse) + 1, 2 * len(model.sparse) + 3}
    assert set(np.flatnonzero(tables.edge_pairs.weight)) == used
    assert tables.edge_pairs.alpha.sum() == pytest.approx(499.01, rel=1e-4)
