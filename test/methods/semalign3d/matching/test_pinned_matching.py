"""Where points of one picture are in another, their states, scores and covariances (see pinned.py)."""

from __future__ import annotations

from dataclasses import replace

import pinned
import pytest
import torch
from methods.semalign3d.alignment import fabricated

from semcorr_ros.artifacts import DepthMap, KeypointState
from semcorr_ros.geometry import cameras, measured_depth
from semcorr_ros.methods.semalign3d.alignment.presets import preset
from semcorr_ros.methods.semalign3d.artifacts import View
from semcorr_ros.methods.semalign3d.matching import carry, direction, paper, placed_points, uncertainty
from semcorr_ros.methods.semalign3d.matching.visibility import visible_share
from semcorr_ros.methods.semalign3d.model import Aligned, SemAlign3D

GRID = torch.stack(torch.meshgrid(torch.arange(30.0, 120, 9), torch.arange(12.0, 90, 9), indexing="xy"), -1)
PIXELS = GRID.reshape(-1, 2)


@pytest.fixture(scope="module")
def scene():
    """A class aligned to two views, not quite rightly, with rivals; behind the second, a wall with holes."""
    model = fabricated.make_class()
    source, target = (_off(fabricated.true_view(model, azimuth, 20)) for azimuth in (30, 60))
    values = torch.where(target.seen.depth.values > 0, target.seen.depth.values, 0.9)
    values[30:36, 50:70], values[50:60] = 0.2, 0.0
    return model, source, View(replace(target.seen, depth=DepthMap(values, True)), target.aligned)


def _off(view):
    """Three hypotheses: a little beside the truth, more so, and the other way round."""
    first = view.aligned
    turn = torch.stack([torch.eye(3), fabricated.look_at(8, 4) @ fabricated.look_at(0, 0).T,
                        fabricated.look_at(180, 10) @ fabricated.look_at(0, 0).T])  # fmt: skip
    moved = torch.tensor([[0.002, -0.001, 0.003], [0.004, 0.002, -0.006], [0.0, 0.01, 0.01]])
    center = first.translation
    aligned = replace(
        first,
        keypoints=(first.keypoints - center[:, None]) @ turn.mT + (center + moved)[:, None],
        dense=(first.dense - center[:, None]) @ turn.mT + (center + moved)[:, None],
        rotation=turn @ first.rotation,
        translation=center + moved,
        scale=torch.tensor([0.05, 0.052, 0.047]),
        focal=first.focal.expand(3),
        energy=torch.tensor([-1.0, -0.97, -0.9]),
        confidence=torch.tensor([0.3, 0.25, 0.1]),
    )
    return View(view.seen, aligned)


def of(found):
    known = {"xyz": found.xyz.nan_to_num(9), "covariance": found.covariance.nan_to_num(9)}
    return {"points": found.points, "score": found.score, "state": found.state} | known


def test_pixels_carried_over(scene):
    model, source, target = scene
    pinned.check("carry", of(carry.carry(model, source, target, PIXELS, 0.03)))
    blind = View(replace(source.seen, depth=None), source.aligned)
    pinned.check("carry_blind", of(carry.carry(model, blind, target, PIXELS, 0.1)))
    pinned.check("carry_paper", of(paper.carry(model, source, target, PIXELS[::5], 0.1)))


def test_similarity_of_cells(scene):
    model, source, target = scene
    maps = {name: how.similarity(model, source, target, PIXELS[::9], 0.05)
            for name, how in (("ours", carry), ("paper", paper))}  # fmt: skip
    pinned.check("similarity", maps)


def test_points_located_in_every_state(scene):
    model, _, target = scene
    aligned = target.aligned
    points = torch.cat(
        [aligned.dense[0, ::7], aligned.keypoints[0], aligned.dense[0, :5] + torch.tensor([0.2, 0, 0])]
    )
    points = torch.cat([points, aligned.dense[0, 5:20] + torch.tensor([0.06, 0.03, 0.01])])
    looks = fabricated.describe((points - aligned.translation[0]) @ aligned.rotation[0] / 0.05)
    placed = placed_points.PlacedPoints(points, looks)
    found = placed_points.locate(model, placed, target, 0.02)
    assert set(found.state.tolist()) == {int(state) for state in KeypointState} - {
        int(KeypointState.REJECTED)
    }
    pinned.check("located", of(found) | {"seen": visible_share(points, aligned)})
    deeper = replace(aligned, metric=False)
    pinned.check(
        "located_without_metres", of(placed_points.locate(model, placed, View(target.seen, deeper), 0.02))
    )
    window = measured_depth.window(PIXELS, target.seen.depth.values, target.seen.mask)
    pinned.check("depth_window", {"values": window.nan_to_num(-1.0)})


def test_how_far_off(scene):
    model, _, target = scene
    aligned = target.aligned
    points = aligned.keypoints[0]
    state = torch.tensor([int(KeypointState.VISIBLE)] * 5 + [int(KeypointState.OCCLUDED)] * 5)
    measured = points + torch.tensor([0.0, 0.0, 0.01]) * torch.arange(10.0)[:, None]
    symmetric = replace(model, info=replace(model.info, symmetric=True))
    sure = replace(aligned, confidence=torch.tensor([0.9, 0.2, 0.1]))
    pinned.check(
        "uncertainty",
        {"points": uncertainty.point_covariance(measured, points, state, aligned)}
        | {"sure": uncertainty.point_covariance(measured, points, state, sure)}
        | {"pose": uncertainty.pose_covariance(model, aligned)}
        | {"symmetric": uncertainty.pose_covariance(symmetric, aligned)}
        | {"undirected": uncertainty.pose_covariance(model, aligned, directed=False)},
    )


def test_direction(scene):
    model, _, target = scene
    telling = torch.zeros(400, dtype=torch.bool)
    shares = visible_share(target.aligned.dense[0], target.aligned)
    order = shares.argsort()
    for seen, expected in ((0, False), (1, False), (2, True), (10, True)):
        chosen = telling.clone()
        chosen[order[: 20 - seen]] = True
        chosen[order[400 - seen :]] = True
        other = replace(model)
        other.__dict__["telling"] = chosen
        assert direction.direction_is_seen(other, target.aligned) == expected
    turning = direction.turns_with_it(target.aligned.dense[0], model, target.aligned)
    canonical = (target.aligned.dense[0] - target.aligned.translation[0]) @ target.aligned.rotation[0] / 0.05
    assert torch.equal(turning, (canonical - model.axis)[:, :2].norm(dim=-1) > 0.25)
    assert 0 < turning.sum() < 400


def test_a_placed_class(scene):
    """The same, by the interface that every method has."""
    model, source, target = scene
    ours, literal = (SemAlign3D(model, preset(name)) for name in ("fast", "paper"))
    for name, which in (("ours", ours), ("paper", literal)):
        one, other = (Aligned(model, view.seen, view.aligned, matching=which.settings.matching)
                      for view in (source, target))  # fmt: skip
        pose = other.pose
        pinned.check(
            f"placed_{name}",
            {
                "rotation": pose.rotation,
                "translation": pose.translation,
                "size": pose.size,
                "scale": pose.scale,
            }
            | {"covariance": pose.covariance, "confidence": other.confidence}
            | {f"keypoints {key}": value for key, value in of(other.keypoints(torch.arange(10))).items()}
            | {f"carried {key}": value for key, value in of(one.carry(PIXELS[::6], other)).items()}
            | {"similarity": one.similarity(PIXELS[::20], other), "surface": other.shape.surface}
            | {"canonical": other.shape.canonical},
        )
        assert other.caveat == ""
        assert other.facts["energy"] == -1.0
        assert other.facts["focal_px"] == [140.0, 152.0]


def test_cameras_of_the_scene_are_uneven(scene):
    """What these numbers rest on."""
    for view in scene[1:]:
        (fx, fy), size = view.aligned.camera.focal.tolist(), view.aligned.camera.size
        assert fx != fy
        assert (
            view.aligned.camera.principal_point.tolist()
            != cameras.centered(fx, size).principal_point.tolist()
        )
