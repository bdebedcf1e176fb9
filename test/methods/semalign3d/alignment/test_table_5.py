"""`paper` is Table 5 of SemAlign3D: every constant of it, as printed, and which categories it singles out."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest
import torch
from methods.semalign3d.alignment import fabricated

from semcorr_ros.methods.semalign3d.alignment import initialize, objective, reference, schedules
from semcorr_ros.methods.semalign3d.alignment.evidence import gather_evidence
from semcorr_ros.methods.semalign3d.alignment.presets import preset

# Eighteen categories of SPair-71k, as its files call them.
SPAIR = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "dog", "horse",
    "motorbike", "person", "pottedplant", "sheep", "train", "tvmonitor",
)  # fmt: skip
STEPS = range(0, 1001, 50)
INFERENCE = {"chair": 0.01, "tvmonitor": 0.01, "aeroplane": 0.03, "bicycle": 0.03, "bottle": 0.03}
SIGMA_DENSE = {0: 1.0, 300: 0.1, 500: 0.03}
SIGMA_SPARSE = {0: 1.0, 300: 0.1, 500: 0.1, 700: 0.05}
SIGMA_SPARSE_BOTTLE = {0: 1.0, 300: 0.3, 500: 0.3, 700: 0.05}
W_SPARSE = {0: 0.0, 500: 0.0, 700: 10.0, 1000: 1.0}
W_SPARSE_BOTTLE = {0: 0.0, 500: 0.0, 700: 1.0, 1000: 10.0}
W_BG = {0: 1.0, 300: 10.0, 500: 100.0, 700: 10.0}
W_BG_BOTTLE = {0: 0.0, 700: 0.0, 900: 1.0, 1000: 20.0}


def between(knots, step):
    """Linear between the steps of a row of the table, constant after the last one."""
    steps = sorted(knots)
    after = next((i for i, knot in enumerate(steps) if knot >= step), None)
    if after is None:
        return knots[steps[-1]]
    if steps[after] == step:
        return knots[step]
    left, right = steps[after - 1], steps[after]
    return knots[left] + (knots[right] - knots[left]) * (step - left) / (right - left)


@pytest.mark.parametrize("category", [*SPAIR, "mug"])
def test_optimiser(category):
    config = preset("paper", category).optimize
    assert (config.lr, config.steps, config.begin) == (5e-3, 1000, 0.0)
    assert config.weight_decay == 0.01  # AdamW's own
    assert config.survivors == (), "all sixteen go on to the end"
    assert config.parametrization == "free_keypoints"


def test_the_optimiser_is_adamw():
    model = fabricated.make_class()
    starts = _starts(camera=True)
    search = reference.Search(model, starts, preset("paper").optimize, fixed_focal=False)
    assert type(search.optimizer) is torch.optim.AdamW
    assert {(group["lr"], group["weight_decay"]) for group in search.optimizer.param_groups} == {(5e-3, 0.01)}
    assert {group["betas"] for group in search.optimizer.param_groups} == {(0.9, 0.999)}


@pytest.mark.parametrize("category", SPAIR)
def test_sigmas(category):
    sparse = SIGMA_SPARSE_BOTTLE if category == "bottle" else SIGMA_SPARSE
    for step in STEPS:
        found = objective.sigmas_at(preset("paper", category).objective, step, _Unscaled())
        assert found == pytest.approx((between(SIGMA_DENSE, step), between(sparse, step)))


@pytest.mark.parametrize("category", SPAIR)
def test_weights(category):
    bottle = category == "bottle"
    config = preset("paper", category).objective
    # Table 5 has no weight for the sum of both reconstructions.
    config = replace(config, schedules=replace(config.schedules, reconstruct=((0, 1.0),)))
    for step in STEPS:
        assert objective.weights_at(config, step) == pytest.approx(
            {
                "reconstruction": 1.0,
                "reconstruction_sparse": between(W_SPARSE_BOTTLE if bottle else W_SPARSE, step),
                "geometry": 0.5,
                "background": between(W_BG_BOTTLE if bottle else W_BG, step),
                "depth": 10.0,
                "symmetry": 0.0,
            }
        )


def test_both_reconstructions_have_the_weight_that_no_table_gives():
    weights = objective.weights_at(preset("paper", "car").objective, 700)
    assert weights["reconstruction"] == pytest.approx(10.0)
    assert weights["reconstruction_sparse"] == pytest.approx(100.0)
    assert weights["geometry"] == 0.5


@pytest.mark.parametrize("category", [*SPAIR, "mug"])
def test_sigma_of_the_inference(category):
    matching = preset("paper", category).matching
    assert (matching.matcher, matching.sigma) == ("paper", INFERENCE.get(category, 1.0))


def test_four_focal_lengths_with_four_random_rotations_each():
    starts = _starts(camera=False)
    focals, counts = starts.focal.unique(return_counts=True)
    assert focals.tolist() == pytest.approx([1.25, 2.5, 5.0, 10.0])  # shares of the longer side of the image
    assert counts.tolist() == [4] * 4
    apart = starts.rotation.flatten(1)
    assert torch.cdist(apart, apart).fill_diagonal_(9).min() > 0.1
    again, other = _starts(camera=False), _starts(camera=False, seed=1)
    assert torch.equal(starts.rotation, again.rotation)
    assert not torch.equal(starts.rotation, other.rotation)


def test_sixteen_rotations_where_the_camera_is_known():
    starts = _starts(camera=True)
    assert len(starts.focal) == 16
    assert starts.focal.unique().tolist() == pytest.approx([140.0 / 128])


def test_evidence_has_nothing_that_the_paper_has_not():
    config = preset("paper").evidence
    assert (config.similarity_std_floor, config.upscale, config.one_sided) == (0.0, "similarities", False)
    assert (config.around, config.relief_trust, config.visibility) == (None, 0.0, False)
    assert config.relative_depth
    assert preset("paper").turning is None
    assert preset("paper").select.empty == 0.0


@pytest.mark.parametrize(
    ("step", "value"), [(-5, 1.0), (0, 1.0), (150, 0.55), (300, 0.1), (400, 0.065), (500, 0.03), (999, 0.03)]
)
def test_a_schedule_is_linear_between_knots_and_constant_outside(step, value):
    assert schedules.at(((0, 1.0), (300, 0.1), (500, 0.03)), step) == pytest.approx(value)


class _Unscaled:
    """The paper's sigmas do not ask how large the object is."""

    radius = 123.0


def _starts(camera, seed=0):
    model, config = fabricated.make_class(), preset("paper", "car")
    seen, _ = fabricated.observe(model, 30, 25)
    seen = seen if camera else replace(seen, camera=None)
    evidence = gather_evidence(model, seen, config.evidence, torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(seed)
    return initialize.choose_starts(model, evidence, config.initialize, generator, reference.score)


def test_every_knot_of_every_schedule():
    """As wholes: most of a knot's digits do not show in the values at single steps."""
    constant = {
        "reconstruct": ((0, 10.0),),
        "dense": ((0, 1.0),),
        "geometry": ((0, 0.5),),
        "depth": ((0, 10.0),),
    }
    paper = {
        "sigma_dense": SIGMA_DENSE, "sigma_sparse": SIGMA_SPARSE, "sparse": W_SPARSE, "background": W_BG,
        "symmetry": {0: 0.0},
    }  # fmt: skip
    bottle = paper | {
        "sigma_sparse": SIGMA_SPARSE_BOTTLE, "sparse": W_SPARSE_BOTTLE, "background": W_BG_BOTTLE
    }  # fmt: skip
    for found, table in ((schedules.PAPER, paper), (schedules.PAPER_BOTTLE, bottle)):
        expected = {name: tuple(knots.items()) for name, knots in table.items()} | constant
        assert asdict(found) == expected | {"sigma_follows_size": False}
    assert asdict(schedules.Schedules()) == {
        "sigma_dense": ((0, 0.15), (500, 0.05), (800, 0.03)),
        "sigma_sparse": ((0, 0.15), (500, 0.1), (800, 0.05)),
        "reconstruct": ((0, 1.0),),
        "dense": ((0, 1.0),),
        "sparse": ((0, 0.0), (300, 0.0), (600, 1.0)),
        "geometry": ((0, 0.1),),
        "background": ((0, 0.0), (300, 0.0), (600, 10.0)),
        "depth": ((0, 0.1),),
        "symmetry": ((0, 0.0),),
        "sigma_follows_size": True,
    }
    assert schedules.at(schedules.PAPER.sparse, 0) == 0
    assert schedules.REFERENCE_RADIUS == 0.2
    assert INFERENCE == schedules.PAPER_MATCHING_SIGMA
