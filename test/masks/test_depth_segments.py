"""Attention that leaks onto floor and wall is pulled back to the object by depth."""

from __future__ import annotations

import math

import pytest
import torch

from semcorr_ros.artifacts import DepthMap
from semcorr_ros.geometry import cameras
from semcorr_ros.masks._depth_segments import segment_by_depth

CAMERA = cameras.centered(150.0, (96, 128))
H, W = CAMERA.size
TILT = math.radians(35)
RADIUS = 0.05


def _rays():
    x, y = torch.meshgrid(torch.arange(W), torch.arange(H), indexing="xy")
    pixels = torch.stack([x, y], -1).float()
    return torch.cat([(pixels - CAMERA.principal_point) / CAMERA.focal, torch.ones(H, W, 1)], -1)


def _plane(normal, offset):
    depth = offset / (_rays() @ torch.tensor(normal))
    return torch.where(depth > 0, depth, torch.inf)


def _ball(center, radius=RADIUS):
    rays, center = _rays(), torch.tensor(center)
    a, b = (rays**2).sum(-1), rays @ center
    root = b**2 - a * (center @ center - radius**2)
    return torch.where(root > 0, (b - root.clamp_min(0).sqrt()) / a, torch.inf)


FLOOR = _plane([0.0, math.cos(TILT), math.sin(TILT)], 0.5 * math.sin(TILT) + RADIUS)
WALL = _plane([0.0, 0.0, 1.0], 1.5)


def _segment(depth, attention, diameter=2 * RADIUS, metric=True):
    values = torch.where(torch.isfinite(depth), depth, 0.0)
    generator = torch.Generator().manual_seed(0)
    return segment_by_depth(attention, DepthMap(values, metric), CAMERA, diameter, generator)


def _iou(a, b):
    return float((a & b).sum() / (a | b).sum())


def _around(mask, pixels):
    grown = torch.nn.functional.max_pool2d(mask[None].float(), 2 * pixels + 1, 1, pixels)
    return grown[0] > 0


@pytest.mark.parametrize("noise", [0.0, 0.002])
def test_leaking_attention_is_pulled_back(noise):
    ball = _ball([0.0, 0.0, 0.5])
    depth = torch.minimum(torch.minimum(FLOOR, WALL), ball)
    truth = depth == ball
    depth = depth + noise * torch.randn(depth.shape, generator=torch.Generator().manual_seed(1))
    attention = _around(truth, 14)
    assert _iou(attention, truth) < 0.5
    assert _iou(_segment(depth, attention), truth) > 0.9


def test_attention_chooses_between_two_objects():
    left, right = _ball([-0.12, 0.0, 0.5]), _ball([0.12, 0.0, 0.5])
    depth = torch.minimum(torch.minimum(FLOOR, left), right)
    assert _iou(_segment(depth, _around(depth == right, 5)), depth == right) > 0.9


def test_a_flat_object_is_not_taken_for_a_wall():
    board = torch.where(_ball([0.0, 0.0, 0.6], 0.12) < torch.inf, _plane([0.0, 0.0, 1.0], 0.6), torch.inf)
    depth = torch.minimum(board, WALL)
    truth = depth == board
    assert _iou(_segment(depth, _around(truth, 6), diameter=0.24), truth) > 0.9


def test_an_object_behind_a_bar_keeps_both_halves():
    ball = _ball([0.0, 0.0, 0.5])
    depth = torch.minimum(FLOOR, ball)
    depth[:, 62:66] = 0.3
    truth = depth == ball
    found = _segment(depth, truth)
    assert found[:, :62].any()
    assert found[:, 66:].any()
    assert _iou(found, truth) > 0.85


def test_without_usable_depth_attention_stays():
    attention = _around(_ball([0.0, 0.0, 0.5]) < torch.inf, 3)
    nothing = torch.zeros(H, W)
    assert torch.equal(_segment(nothing, attention), attention)
    assert torch.equal(_segment(FLOOR, attention, metric=False), attention)
    assert torch.equal(_segment(FLOOR, attention, diameter=0.0), attention)
    empty = torch.zeros_like(attention)
    assert torch.equal(_segment(FLOOR, empty), empty)


def test_around_glass_attention_stays():
    """Nothing is measured of the ball but specks of its surroundings: these are not the object."""
    truth = _ball([0.0, 0.0, 0.5]) < torch.inf
    depth = torch.where(truth, torch.inf, torch.minimum(FLOOR, _ball([0.1, 0.0, 0.5])))
    attention = _around(truth, 1)
    assert (torch.isfinite(depth) & attention).any()
    assert torch.equal(_segment(depth, attention), attention)
