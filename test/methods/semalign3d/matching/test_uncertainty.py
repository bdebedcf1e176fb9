"""Covariances: the truth lies inside as often as they say, along the axes it errs along."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from methods.semalign3d.alignment import fabricated

from semcorr_ros.artifacts import KeypointState
from semcorr_ros.geometry import cameras, rotations
from semcorr_ros.geometry.similarity import fit_similarity
from semcorr_ros.methods.semalign3d.artifacts import Alignment
from semcorr_ros.methods.semalign3d.matching import uncertainty
from semcorr_ros.methods.semalign3d.matching.uncertainty import point_covariance, pose_covariance

SCALE = 0.06
NINETY = {3: 6.25, 6: 10.64}  # of the chi-squared distribution


@pytest.fixture(scope="module")
def model():
    return fabricated.make_class()


def alignment(model, confidence: float = 0.5, rival_gap: float = 10.0, turn=None) -> Alignment:
    """The class in front of the camera, and one rival."""
    rotation = rotations.super_fibonacci(7)[2]
    other = rotation @ (torch.eye(3) if turn is None else turn)
    both, translation = torch.stack([rotation, other]), torch.tensor([0.05, -0.03, 0.8]).expand(2, 3)
    scale = torch.full((2,), SCALE)
    keypoints = scale[:, None, None] * model.sparse @ both.transpose(1, 2) + translation[:, None]
    return Alignment(
        keypoints, model.dense.barycentric @ keypoints, both, translation, scale, torch.full((2,), 500.0),
        torch.tensor([-1.0, -1.0 + rival_gap]), {}, torch.full((2,), confidence),
        cameras.centered(500.0, (480, 640)), True,
    )  # fmt: skip


def visible(count: int) -> torch.Tensor:
    return torch.full((count,), int(KeypointState.VISIBLE))


def inside(errors: torch.Tensor, covariance: torch.Tensor) -> float:
    squared = (errors[..., None, :] @ torch.linalg.inv(covariance) @ errors[..., None])[..., 0, 0]
    return float((squared < NINETY[errors.shape[-1]]).float().mean())


def test_noise_of_the_stated_size_is_covered_at_the_stated_rate(model):
    aligned = alignment(model)
    placed = aligned.keypoints[0]
    generator = torch.Generator().manual_seed(0)
    ray = placed / placed.norm(dim=-1, keepdim=True)
    rates = []
    for _ in range(300):
        noise = torch.randn(placed.shape, generator=generator) * SCALE
        along = (noise * ray).sum(-1, keepdim=True) * ray
        error = uncertainty.SEEN * (noise - along) + uncertainty.ALONG * along
        rates.append(inside(error, point_covariance(placed, placed, visible(len(placed)), aligned)))
    assert 0.87 < sum(rates) / len(rates) < 0.93


def test_the_pose_of_noisy_keypoints_is_covered_at_least_at_the_stated_rate(model):
    """Independent errors of hidden points, of which the pose is the least-squares fit."""
    aligned = alignment(model)
    covariance = pose_covariance(model, aligned)
    assert torch.linalg.eigvalsh(covariance).min() > 0
    ideal = covariance / torch.outer(*2 * [torch.tensor([uncertainty.SHIFT] * 3 + [uncertainty.TURN] * 3)])
    generator = torch.Generator().manual_seed(1)
    errors = []
    for _ in range(600):
        noise = uncertainty.HIDDEN * SCALE * torch.randn(aligned.keypoints[0].shape, generator=generator)
        _, rotation, translation = fit_similarity(model.sparse[None], (aligned.keypoints[0] + noise)[None])
        turn = rotations.to_vector(rotation[0] @ aligned.rotation[0].T)
        errors.append(torch.cat([translation[0] - aligned.translation[0], turn]))
    assert 0.85 < inside(torch.stack(errors), ideal) < 0.95
    assert inside(torch.stack(errors), covariance) > 0.85


@pytest.mark.parametrize("hypotheses", [1, 2])
@pytest.mark.parametrize("shown", [10, 4])
def test_the_pose_is_as_unsure_as_a_fit_to_its_hidden_keypoints(model, shown, hypotheses):
    """0.19 of the scale along every axis; positions 1.5 times and turns 0.9 times as far off as that says."""
    model = replace(model, annotated=torch.arange(10) < shown)
    aligned = alignment(model)
    several = ("keypoints", "dense", "rotation", "translation", "scale", "focal", "energy", "confidence")
    aligned = replace(aligned, **{name: getattr(aligned, name)[:hypotheses] for name in several})
    arms = SCALE * model.sparse[:shown] @ aligned.rotation[0].T
    turns = [torch.linalg.cross(axis.expand_as(arms), arms, dim=-1) for axis in torch.eye(3)]
    moves = [axis.expand_as(arms) for axis in torch.eye(3)]
    jacobian = torch.stack([*moves, *turns], -1).flatten(0, 1).double()
    expected = (0.19 * SCALE) ** 2 * torch.linalg.inv(jacobian.T @ jacobian)
    expected = expected * torch.outer(*2 * [torch.tensor([1.5] * 3 + [0.9] * 3).double()])
    found = pose_covariance(model, aligned).double()
    torch.testing.assert_close(found, expected, rtol=2e-3, atol=2e-3 * float(expected.abs().max()) * 0.05)


def test_sensor_and_class_that_disagree_are_unsure_along_the_ray_only(model):
    aligned = alignment(model)
    placed = aligned.keypoints[0]
    ray = placed / placed.norm(dim=-1, keepdim=True)
    agree = point_covariance(placed, placed, visible(len(placed)), aligned)
    apart = point_covariance(placed + 0.02 * ray, placed, visible(len(placed)), aligned)

    def deviation(covariance: torch.Tensor, direction: torch.Tensor) -> torch.Tensor:
        return torch.einsum("pi,pij,pj->p", direction, covariance, direction).sqrt()

    assert (deviation(apart, ray) > deviation(agree, ray) + 0.005).all()
    across = torch.linalg.cross(ray, torch.tensor([0.0, 1.0, 0.0]).expand_as(ray))
    across = across / across.norm(dim=-1, keepdim=True)
    torch.testing.assert_close(deviation(apart, across), deviation(agree, across), rtol=0.05, atol=0)


def test_hidden_points_and_low_confidence_are_less_sure(model):
    aligned = alignment(model)
    placed = aligned.keypoints[0]
    shown = point_covariance(placed, placed, visible(len(placed)), aligned)
    hidden = point_covariance(
        placed, placed, torch.full((len(placed),), int(KeypointState.OCCLUDED)), aligned
    )
    doubtful = point_covariance(placed, placed, visible(len(placed)), alignment(model, confidence=0.2))
    assert (_trace(hidden) > 1.5 * _trace(shown)).all()
    assert (_trace(doubtful) > 2 * _trace(shown)).all()


def test_an_equal_rival_makes_the_points_it_moves_unsure(model):
    half = torch.diag(torch.tensor([-1.0, -1.0, 1.0]))  # half a turn about the canonical z axis
    sure, torn = alignment(model, turn=half), alignment(model, rival_gap=0.0, turn=half)
    placed = torn.keypoints[0]
    state = visible(len(placed))
    growth = _trace(point_covariance(placed, placed, state, torn)) - _trace(
        point_covariance(placed, placed, state, sure)
    )
    moved = (torn.keypoints[1] - placed).norm(dim=-1)
    torch.testing.assert_close(growth, 0.5 * moved**2, rtol=1e-3, atol=1e-6)
    assert _trace(pose_covariance(model, torn)) > _trace(pose_covariance(model, sure)) + 0.4 * torch.pi**2


def test_a_turn_about_the_axis_of_a_symmetric_class_is_unknown(model):
    aligned = alignment(model)
    symmetric = replace(model, info=replace(model.info, symmetric=True))
    covariance = pose_covariance(symmetric, aligned)[3:, 3:]
    axis = aligned.rotation[0][:, 2]
    assert axis @ covariance @ axis > torch.pi**2 / 3
    other = aligned.rotation[0][:, 0]
    assert other @ covariance @ other < 0.2


def test_unknown_positions_have_unknown_covariances(model):
    aligned = alignment(model)
    nowhere = torch.full((2, 3), torch.nan)
    assert point_covariance(nowhere, aligned.keypoints[0, :2], visible(2), aligned).isnan().all()


def _trace(covariance: torch.Tensor) -> torch.Tensor:
    return covariance.diagonal(dim1=-2, dim2=-1).sum(-1)
