"""Evidence, energy, ranking and tracking of one fixed picture, number by number (see pinned.py)."""

from __future__ import annotations

from dataclasses import fields, replace

import pinned
import pytest
import torch
from methods.semalign3d.alignment import fabricated

from semcorr_ros.artifacts import DepthMap
from semcorr_ros.methods.semalign3d.alignment import (
    confidence,
    initialize,
    numbers,
    objective,
    optimize,
    reference,
    tracking,
    visibility,
)
from semcorr_ros.methods.semalign3d.alignment.evidence import EvidenceConfig, gather_evidence
from semcorr_ros.methods.semalign3d.alignment.initialize import InitializeConfig
from semcorr_ros.methods.semalign3d.alignment.objective import ObjectiveConfig
from semcorr_ros.methods.semalign3d.alignment.optimize import OptimizeConfig, Optimized
from semcorr_ros.methods.semalign3d.alignment.plan import Planner
from semcorr_ros.methods.semalign3d.alignment.presets import preset
from semcorr_ros.methods.semalign3d.alignment.select import SelectConfig, rank
from semcorr_ros.methods.semalign3d.alignment.terms import TERMS, background
from semcorr_ros.methods.semalign3d.alignment.tracking import FOLLOWING

SCALE = 0.05


def seeded():
    return torch.Generator().manual_seed(0)


@pytest.fixture(scope="module")
def model():
    made = fabricated.make_class()
    flip = (1, 0, 3, 2, *range(4, 10))
    annotated = torch.arange(10) != 7
    return replace(made, info=replace(made.info, flip=flip), annotated=annotated)


@pytest.fixture(scope="module")
def seen(model):
    """With a wall behind, two strips that are not measured, and a window that leaves out the border."""
    observed, _ = fabricated.observe(model, 40, 20, (0.5, -0.5))
    depth = torch.where(observed.depth.values > 0, observed.depth.values, 0.8)
    depth[60:64], depth[:, 20:24] = 0.0, torch.nan
    features = observed.features
    part = replace(features, values=features.values[8:88, 16:116], window=(16, 8, 100, 80))
    return replace(observed, features=part, depth=DepthMap(depth, True))


@pytest.fixture(scope="module")
def evidence(model, seen):
    return gather_evidence(model, seen, EvidenceConfig(), seeded())


@pytest.fixture(scope="module")
def placed(model, evidence):
    """Four hypotheses around the truth, two of them far off."""
    turns = torch.stack([fabricated.look_at(azimuth, 20) for azimuth in (40, 60, 130, 225)])
    shift = torch.tensor([[0.0, 0, 0], [0.1, -0.1, 0.2], [0.2, 0.1, -0.3], [-0.3, 0.2, 0.1]])
    keypoints = model.sparse @ turns.mT + (torch.tensor([0.4, -0.2, 7.0]) + shift)[:, None]
    focal = evidence.focal * torch.tensor([1.0, 1.05, 0.95, 1.1])
    surface = evidence.object_depth / SCALE * torch.tensor([1.0, 1.02, 0.97, 1.05])
    return Optimized(keypoints, focal, surface)


def state_of(model, evidence, found, step=700.0):
    sigmas = objective.sigmas_at(ObjectiveConfig(), step, evidence)
    return objective.make_state(model, found.keypoints, (found.focal, found.surface_depth), evidence, sigmas)


def of_samples(samples, name):
    return {f"{name} {field.name}": getattr(samples, field.name).sort(0).values for field in fields(samples)}


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("default", EvidenceConfig()),
        ("paper", preset("paper").evidence),
        (
            "sparing",
            EvidenceConfig(samples=200, candidates=600, background_cells=20, measured=90, empty_cells=1),
        ),
    ],
)
def test_evidence(model, seen, name, config):
    found = gather_evidence(model, seen, config, seeded())
    numbers = {
        "center": found.center,
        "radius": found.radius,
        "depth": found.object_depth,
        "focal": found.focal,
    }
    maps = {"share": found.background.share, "origin": found.background.origin, "step": found.background.step}
    known = {"nearest": found.nearest, "measured": found.measured, "image": found.frame.image}
    pinned.check(f"evidence_{name}", numbers | maps | known)
    # Weights differ in their last bits between processors: of hundreds of draws one is another.
    drawn = of_samples(found.dense, "dense") | of_samples(found.sparse, "sparse")
    pinned.check(f"samples_{name}", drawn, rel=5e-3)


def test_terms(model, evidence, placed):
    state = state_of(model, evidence, placed)
    energies = {name: TERMS.load(name).energy(state, evidence, model) for name in TERMS.names()}
    relative = TERMS.load("depth").energy(state, replace(evidence, relative_depth=True), model)
    facing = model.dense.prototypes.facing
    seen_from = visibility.log_visibility(model, placed.keypoints, state.dense, facing)
    points = torch.stack([torch.linspace(-1.5, 1.5, 40), torch.linspace(1.0, -0.8, 40)], -1)[None]
    looked_up = {str(s): background.lookup(points, evidence.background, s) for s in (0.03, 0.1, 0.4)}
    pinned.check("terms", energies | {"relative depth": relative, "seen": seen_from.exp()} | looked_up)


def test_lookup_is_the_sum_over_background_cells(evidence):
    grid = evidence.background
    rows, columns = grid.share.shape
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    cells = grid.origin + torch.stack([x, y], -1) * grid.step
    points = torch.stack([torch.linspace(-0.5, 0.3, 9), torch.linspace(0.2, -0.3, 9)], -1)
    sigma = 0.15
    squared = ((points[:, None, None] - cells) ** 2).sum(-1)
    expected = (torch.exp(-squared / (2 * sigma**2)) * grid.share).sum((1, 2)) / grid.share.sum()
    found = background.lookup(points[None], grid, sigma)[0]
    torch.testing.assert_close(found, expected, atol=2e-3, rtol=0)


def test_ranking_and_confidence(model, evidence, placed):
    flat = replace(model, info=replace(model.info, flat=True))
    for name, each in (("solid", model), ("flat", flat)):
        found = rank(each, evidence, placed, (SelectConfig(), ObjectiveConfig()))
        terms = {f"term {term}": values for term, values in found.by_term.items()}
        pinned.check(
            f"ranking_{name}",
            {"order": found.order, "energy": found.energy, "confidence": found.confidence} | terms,
        )
    state = state_of(model, evidence, placed)
    config = confidence.ConfidenceConfig()
    ranked = torch.tensor([0.0, 0.05, 0.1, 0.4]), {"geometry": torch.tensor([0.2, 0.5, 1.0, 2.0])}
    symmetric = replace(model, info=replace(model.info, symmetric=True))
    pinned.check(
        "confidence",
        {"explained": confidence.explained(model, evidence, state, 0.05)}
        | {"empty": confidence.in_empty_space(model, evidence, state, 0.35)}
        | {"all": confidence.confidence(model, evidence, state, ranked, config)}
        | {"symmetric": confidence.confidence(symmetric, evidence, state, ranked, config)},
    )


def test_starts(model, evidence):
    config = InitializeConfig(count=8)
    known = initialize.choose_starts(model, evidence, config, seeded(), reference.score)
    unknown = replace(evidence, focal=None)
    searched = initialize.choose_starts(model, unknown, config, seeded(), reference.score)
    random = initialize.choose_starts(
        model, unknown, InitializeConfig(scored=False), seeded(), reference.score
    )
    found = {}
    for name, starts in (("known", known), ("searched", searched), ("random", random)):
        found |= {f"{name} {part}": getattr(starts, part)
                  for part in ("rotation", "translation", "focal", "surface_depth")}  # fmt: skip
    upright = initialize._upright_views()
    pinned.check("starts", found | {"candidates": initialize._candidates(model, config), "upright": upright})
    rows = numbers.pack(model, known, OptimizeConfig())
    free = numbers.pack(model, known, OptimizeConfig(parametrization="free_keypoints"))
    rates = [numbers.rates(model, e, OptimizeConfig(parametrization=p, lr=0.3))
             for e in (evidence, unknown) for p in ("shape_space", "free_keypoints")]  # fmt: skip
    pinned.check(
        "numbers", {"rows": rows, "free": free} | {f"rates {i}": rate for i, rate in enumerate(rates)}
    )


@pytest.mark.parametrize("name", ["fast", "tracking"])
def test_plan(model, evidence, name):
    """Schedules over the steps, as the kernels get them."""
    config = preset(name)
    optimise = replace(config.optimize, steps=min(config.optimize.steps, 50))
    plan = Planner(evidence, (optimise, config.objective)).plan(0, optimise.steps)
    parts = ("weights", "sigmas", "map_of", "low", "per_unit")
    pinned.check(f"plan_{name}", {part: getattr(plan, part) for part in parts} | {"maps": plan.blurred[::10]})


def test_cuts():
    """After which steps how many hypotheses go on, and how far the kernels may run before."""
    for config in (OptimizeConfig(), FOLLOWING.optimize, OptimizeConfig(steps=90, survivors=((500.0, 3),))):
        left, cuts = 16, []
        for step in range(config.steps):
            kept = optimize.kept_at(config, step, left)
            if kept < left:
                cuts.append((step, kept))
            left = kept
        done, count, seen = 0, 16, []
        while done < config.steps:
            ahead = optimize.steps_until_cut(config, done, count, 5)
            assert 1 <= ahead <= 5
            done += ahead
            kept = optimize.kept_at(config, done - 1, count)
            if kept < count:
                seen.append((done - 1, kept))
            count = kept
        assert seen == cuts
        assert done == config.steps
    assert optimize.scheduled_at(OptimizeConfig(steps=250), 25) == 100.0
    assert optimize.scheduled_at(OptimizeConfig(steps=40, begin=400.0), 10) == 550.0
    ours = OptimizeConfig()
    assert [optimize.kept_at(ours, step, 16) for step in (24, 25, 74, 75, 149, 150)] == [16, 8, 8, 4, 4, 2]


def test_resuming(model, evidence, seen):
    view = fabricated.true_view(model, 35, 22)
    last = replace(view.aligned, keypoints=view.aligned.keypoints * torch.tensor([1.0, 1.02, 0.99]))
    modes, residual = tracking.in_modes(model, last)
    found = {"modes": modes, "residual": residual}
    blind = replace(evidence, object_depth=0.0)
    for name, each in (("depth", evidence), ("no depth", blind)):
        starts = tracking.resume(model, each, last)
        found |= {f"{name} {field.name}": getattr(starts, field.name) for field in fields(starts)}
    pinned.check("resuming", found)


def test_the_first_steps(model, evidence):
    """Of either parametrization, by autograd: the engines are held to it."""
    starts = initialize.choose_starts(model, evidence, InitializeConfig(count=4), seeded(), reference.score)
    found = {}
    for kind in ("shape_space", "free_keypoints"):
        config = OptimizeConfig(parametrization=kind, steps=12, weight_decay=0.02, survivors=((500.0, 2),))
        done = reference.optimize(model, evidence, starts, (config, ObjectiveConfig()), seeded())
        found |= {f"{kind} keypoints": done.keypoints, f"{kind} focal": done.focal}
    pinned.check("first_steps", found, rel=3e-3)
