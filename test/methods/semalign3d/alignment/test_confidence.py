"""The confidence falls with rivals and with features that say nothing of the class."""

from dataclasses import replace

import pytest
import torch

from semcorr_ros.geometry import cameras, rotations
from semcorr_ros.methods.semalign3d import alignment
from semcorr_ros.methods.semalign3d.alignment import AlignmentConfig, confidence, objective
from semcorr_ros.methods.semalign3d.alignment.evidence import EvidenceConfig, gather_evidence
from semcorr_ros.methods.semalign3d.alignment.optimize import best_distinct
from test.methods.semalign3d.alignment import fabricated


def turned(degrees: float) -> torch.Tensor:
    half = torch.tensor(degrees).deg2rad() / 2
    zero = torch.tensor(0.0)
    return rotations.from_quaternion(torch.stack([half.cos(), zero, half.sin(), zero]))


def test_rival_gap_counts_other_poses_only():
    model = fabricated.make_class()
    poses = torch.stack([turned(0), turned(10), turned(170)])
    keypoints = model.sparse @ poses.mT + torch.tensor([0.0, 0.0, 5.0])
    gap = confidence.rival_gap(model, keypoints, torch.tensor([-1.0, -0.9, -0.7]), 40.0)
    torch.testing.assert_close(gap, torch.tensor([0.3, 0.2, -0.3]))
    alone = confidence.rival_gap(model, keypoints[:2], torch.tensor([-1.0, -0.9]), 40.0)
    assert torch.isinf(alone).all()


def test_distinct_survivors_keep_the_flip():
    poses = torch.stack([turned(0), turned(5), turned(8), turned(180), turned(90)])
    energy = torch.tensor([-1.0, -0.9, -0.95, -0.5, -0.6])
    assert best_distinct(poses, energy, 3, 40.0) == [0, 4, 3]
    assert best_distinct(poses[:3], energy[:3], 2, 40.0) == [0, 2]


def test_features_of_something_else_give_no_confidence():
    model = fabricated.make_class()
    seen, _ = fabricated.observe(model, 0.6, 0.3)
    noise = torch.randn(seen.features.values.shape, generator=torch.Generator().manual_seed(1))
    noise = torch.nn.functional.normalize(noise, dim=-1)
    other = replace(seen, features=replace(seen.features, values=noise))
    config = AlignmentConfig()
    config = replace(config, optimize=replace(config.optimize, steps=60))
    right = alignment.align(model, seen, config, torch.Generator().manual_seed(0)).confidence[0]
    wrong = alignment.align(model, other, config, torch.Generator().manual_seed(0)).confidence[0]
    assert right > 0.5
    assert wrong < 0.2


@pytest.mark.parametrize("shift", [0.0, 0.5, 1.0])
def test_explained_is_what_is_covered_times_the_share_of_the_class_on_the_object(shift):
    """Moved by so many of its radii to the side: as much less as of its blurred points lies off the mask."""
    model = fabricated.make_class()
    seen, truth = fabricated.observe(model, 30, 20)
    evidence = gather_evidence(model, seen, EvidenceConfig(), torch.Generator().manual_seed(0))
    keypoints = (truth.keypoints / 0.05 + torch.tensor([shift, 0.0, 0.0]))[None]
    focal, surface = torch.tensor([evidence.focal]), torch.tensor([evidence.object_depth / 0.05])
    state = objective.make_state(model, keypoints, (focal, surface), evidence, (0.02, 0.02))
    empty = replace(evidence.background, share=torch.zeros_like(evidence.background.share))
    alone = confidence.explained(model, replace(evidence, background=empty), state, 0.02)
    found = confidence.explained(model, evidence, state, 0.02)
    _, terms = objective.evaluate(state, evidence, model, {"reconstruction": 1.0})
    torch.testing.assert_close(alone, -terms["reconstruction"])
    assert 0 <= float(alone) < 1
    pixels = cameras.project((model.dense.barycentric @ keypoints[0]) * 0.05, fabricated.CAMERA)
    around, sigma = (~seen.mask).nonzero().flip(1).float(), 0.02 * max(seen.mask.shape)
    density = torch.exp(-(torch.cdist(pixels, around) ** 2) / (2 * sigma**2)) / (2 * torch.pi * sigma**2)
    beside = float(density.sum(1).mean())
    assert float(found) == pytest.approx(float(alone) * (1 - beside), rel=0.03, abs=1e-6)


def test_nothing_is_explained_beside_the_image():
    model = fabricated.make_class()
    seen, truth = fabricated.observe(model, 30, 20)
    evidence = gather_evidence(model, seen, EvidenceConfig(), torch.Generator().manual_seed(0))
    keypoints = (truth.keypoints / 0.05 + torch.tensor([40.0, 0.0, 0.0]))[None]
    focal, surface = torch.tensor([evidence.focal]), torch.tensor([evidence.object_depth / 0.05])
    state = objective.make_state(model, keypoints, (focal, surface), evidence, (0.02, 0.02))
    assert float(confidence.explained(model, evidence, state, 0.02)) == 0
