"""The two checks of SemAlign3D, Section 4.1: depth in the order that the sensor saw, the front in front."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from methods.semalign3d.alignment import fabricated

from semcorr_ros.methods.semalign3d.alignment import initialize, objective, reference, select
from semcorr_ros.methods.semalign3d.alignment.evidence import EvidenceConfig, gather_evidence
from semcorr_ros.methods.semalign3d.alignment.initialize import InitializeConfig
from semcorr_ros.methods.semalign3d.alignment.objective import ObjectiveConfig
from semcorr_ros.methods.semalign3d.alignment.optimize import Optimized
from semcorr_ros.methods.semalign3d.alignment.select import SelectConfig, depth_order, facing_away, rank

RADIUS = 0.05  # metres per canonical unit


@pytest.fixture(scope="module")
def model():
    return fabricated.make_class(flat=True)


def placed(azimuth):
    """Keypoints of the class turned to an azimuth, half a metre away, working units."""
    shape = fabricated.make_class().sparse
    return shape @ fabricated.look_at(azimuth, 20).T + torch.tensor([0.3, -0.2, 7.0])


def inside_out(keypoints):
    """The same picture with near and far exchanged: each point moved along its ray."""
    depth = keypoints[..., 2:]
    return keypoints * (2 * depth.mean(-2, keepdim=True) - depth) / depth


@pytest.fixture(scope="module")
def scene(model):
    """Evidence, and two hypotheses: the truth, and the truth inside out."""
    seen, truth = fabricated.observe(model, 30, 25)
    evidence = gather_evidence(model, seen, EvidenceConfig(), torch.Generator().manual_seed(0))
    working = truth.keypoints / RADIUS
    keypoints = torch.stack([inside_out(working), working])
    surface = torch.full((2,), evidence.object_depth / RADIUS)
    return evidence, Optimized(keypoints, torch.full((2,), evidence.focal), surface)


def state_of(model, evidence, found):
    placement = found.focal, found.surface_depth
    sigmas = objective.sigmas_at(ObjectiveConfig(), 1000.0, evidence)
    return objective.make_state(model, found.keypoints, placement, evidence, sigmas)


def test_depth_order_tells_a_shape_from_the_same_shape_inside_out(model, scene):
    evidence, found = scene
    wrong = depth_order(state_of(model, evidence, found), evidence.radius)
    assert wrong[1] < 0.1
    assert wrong[0] > 0.6


def test_depth_order_does_not_judge_without_depth(model, scene):
    evidence, found = scene
    nothing = torch.zeros_like(evidence.dense.measured)
    blind = replace(evidence, dense=replace(evidence.dense, measured=nothing))
    assert depth_order(state_of(model, blind, found), evidence.radius).tolist() == [0, 0]


def test_depth_order_has_a_price(model, scene):
    """Beyond the energy: what the check costs is what the config says."""
    evidence, found = scene
    ranked = [
        rank(model, evidence, found, (SelectConfig(depth_order=price), ObjectiveConfig()))
        for price in (0, 7.0)
    ]
    wrong = depth_order(state_of(model, evidence, found), evidence.radius)
    energies = [each.energy[each.order.argsort()] for each in ranked]
    torch.testing.assert_close(energies[1] - energies[0], 7.0 * wrong, rtol=1e-3, atol=1e-4)
    assert ranked[1].order.tolist() == [1, 0]


def test_a_flat_class_faces_the_camera_with_its_front(model):
    """look_at(0) is a camera on the canonical +x axis: the front."""
    keypoints = torch.stack([placed(azimuth) for azimuth in (0, 60, 120, 180, 300)])
    assert facing_away(model, keypoints).tolist() == [0, 0, 1, 1, 0]


def test_a_flat_class_that_shows_its_back_comes_last(model, scene):
    evidence, found = scene
    keypoints = torch.stack([placed(180), placed(0)])
    other = replace(found, keypoints=keypoints)
    ranked = rank(model, evidence, other, (SelectConfig(), ObjectiveConfig()))
    assert ranked.order.tolist() == [1, 0]
    assert ranked.by_term["facing_away"].tolist() == [0, 1]
    assert ranked.energy[1] - ranked.energy[0] > 500
    solid = replace(model, info=replace(model.info, flat=False))
    assert "facing_away" not in rank(solid, evidence, other, (SelectConfig(), ObjectiveConfig())).by_term


def test_a_chosen_hypothesis_leads_and_the_others_keep_their_order():
    values = torch.tensor([0.1, 0.2, 0.3])
    ranking = select.Ranking(torch.tensor([2, 0, 1]), values, {"term": 10 * values}, 1 - values)
    led = ranking.led_by(0)
    assert led.order.tolist() == [0, 2, 1]
    torch.testing.assert_close(led.energy, values[[1, 0, 2]])
    torch.testing.assert_close(led.by_term["term"], 10 * values[[1, 0, 2]])
    torch.testing.assert_close(led.confidence, 1 - values[[1, 0, 2]])


def test_the_depth_order_needs_measured_depth_but_no_weight_of_relief():
    """`paper` ignores relief in its energy and still asks for the order of depths."""
    model = fabricated.make_class()
    seen, _ = fabricated.observe(model, 40, 20)
    orders = []
    for trust in (1.0, 0.0):
        config = EvidenceConfig(relief_trust=trust)
        evidence = gather_evidence(model, seen, config, torch.Generator().manual_seed(0))
        starts = initialize.choose_starts(
            model, evidence, InitializeConfig(scored=False), torch.Generator().manual_seed(2), reference.score
        )
        keypoints = starts.shape(model) @ starts.rotation.mT + starts.translation[:, None]
        placement = starts.focal, starts.surface_depth
        state = objective.make_state(model, keypoints, placement, evidence, (0.1, 0.1))
        assert bool((evidence.dense.relief_weight > 0).any()) == (trust > 0)
        orders.append(depth_order(state, evidence.radius))
    torch.testing.assert_close(*orders)
    assert orders[0].max() > 0.1
