"""Depth turns a cup whose handle features have not seen."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from methods.semalign3d.alignment import fabricated
from methods.semalign3d.matching.test_direction import body, cup, handle

from semcorr_ros.geometry.similarity import fit_similarity
from semcorr_ros.methods.semalign3d.alignment.evidence import EvidenceConfig, gather_evidence
from semcorr_ros.methods.semalign3d.alignment.optimize import Optimized
from semcorr_ros.methods.semalign3d.alignment.select import Ranking
from semcorr_ros.methods.semalign3d.alignment.turning import TurningConfig, turned

CENTER = torch.tensor([0.3, -0.2, 8.0])  # working units
FOCAL = 2.0
CONFIG = TurningConfig()


def placed(model, azimuth: float) -> torch.Tensor:
    return model.sparse @ fabricated.look_at(azimuth, 35.0).T + CENTER


def measured(azimuth: float, grip: bool) -> torch.Tensor:
    """Image points and relief of another cup's side that faces the camera, with its handle or without."""
    generator = torch.Generator().manual_seed(11)
    outside = body(1200, generator)
    forward = fabricated.look_at(azimuth, 0.0)[2]
    outside = outside[(outside * torch.tensor([1.0, 1.0, 0.0])) @ forward < 0]
    surface = torch.cat([outside] + ([handle(90, generator)] if grip else []))
    x, y, z = (surface @ fabricated.look_at(azimuth, 35.0).T + CENTER).unbind(-1)
    return torch.stack([FOCAL * x / z, FOCAL * y / z, z / CENTER[2] - 1], -1)


def turn(model, found: float, true: float, grip: bool = True):
    seen, _ = fabricated.observe(fabricated.make_class(), 30, 25)
    evidence = gather_evidence(
        fabricated.make_class(), seen, EvidenceConfig(), torch.Generator().manual_seed(0)
    )
    evidence = replace(evidence, measured=measured(true, grip))
    keypoints = torch.stack([placed(model, 200.0), placed(model, found)])
    start = Optimized(keypoints, torch.full((2,), FOCAL), torch.full((2,), float(CENTER[2])))
    return start, turned(model, evidence, start, 1, CONFIG)


@pytest.mark.parametrize("off", [-40.0, 30.0, 55.0])
def test_the_handle_goes_where_it_was_measured(off):
    model = cup()
    start, found = turn(model, 120.0 + off, 120.0)
    truth = placed(model, 120.0)
    assert torch.equal(found.keypoints[0], start.keypoints[0])  # of the others, nothing is said
    grip = model.info.keypoint_names.index("handle")
    before, after = ((each.keypoints[1, grip] - truth[grip]).norm() for each in (start, found))
    assert after < 0.15
    assert after < 0.3 * before
    scale, _, _ = fit_similarity(model.sparse, found.keypoints[1])
    assert float(scale) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("off", [0.0, 8.0, -12.0])
def test_a_direction_that_is_right_stays(off):
    assert turn(cup(), 120.0 + off, 120.0)[1] is None


def test_a_handle_that_is_not_measured_turns_nothing():
    assert turn(cup(), 150.0, 120.0, grip=False)[1] is None


def test_a_class_of_another_shape_is_left_alone():
    pear = fabricated.make_class()
    seen, _ = fabricated.observe(pear, 30, 25)
    evidence = gather_evidence(pear, seen, EvidenceConfig(), torch.Generator().manual_seed(0))
    assert evidence.measured.shape[1] == 3
    start = Optimized(pear.sparse[None] + CENTER, torch.tensor([FOCAL]), torch.tensor([8.0]))
    assert turned(pear, evidence, start, 0, CONFIG) is None
    assert turned(cup(), replace(evidence, measured=None), start, 0, CONFIG) is None


def test_a_ranking_led_by_another_hypothesis_keeps_what_belongs_together():
    values = torch.tensor([-1.0, -0.8, -0.5])
    ranking = Ranking(torch.tensor([2, 0, 1]), values, {"geometry": values + 2}, values + 1)
    led = ranking.led_by(0)
    assert led.order.tolist() == [0, 2, 1]
    assert led.energy.tolist() == pytest.approx([-0.8, -1.0, -0.5])
    assert led.by_term["geometry"].tolist() == pytest.approx([1.2, 1.0, 1.5])
    assert led.confidence.tolist() == pytest.approx([0.2, 0.0, 0.5])


def test_constants_are_those_of_the_manual():
    assert TurningConfig() == TurningConfig(
        step_deg=10.0, most_deg=60.0, least_deg=20.0, gain=0.012, farthest=0.4, fewest=64
    )
