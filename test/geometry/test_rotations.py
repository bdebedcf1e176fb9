"""Quaternions are (x, y, z, w); spread rotations are proper and evenly spread."""

import math

import torch

from semcorr_ros.geometry import rotations


def test_quarter_turn_about_z():
    quat = torch.tensor([0.0, 0.0, math.sin(math.pi / 4), math.cos(math.pi / 4)])
    turned = rotations.from_quaternion(quat) @ torch.tensor([1.0, 0.0, 0.0])
    torch.testing.assert_close(turned, torch.tensor([0.0, 1.0, 0.0]), atol=1e-6, rtol=0)


def test_round_trip_including_half_turns():
    spread = rotations.super_fibonacci(200)
    half_turns = torch.stack(
        [torch.diag(torch.tensor(d)) for d in ([1.0, -1, -1], [-1.0, 1, -1], [-1.0, -1, 1])]
    )
    for rotation in torch.cat([spread, half_turns]):
        back = rotations.from_quaternion(rotations.to_quaternion(rotation))
        torch.testing.assert_close(back, rotation, atol=1e-5, rtol=0)


def test_spread_rotations_leave_no_gap():
    spread = rotations.super_fibonacci(160)
    torch.testing.assert_close(torch.linalg.det(spread), torch.ones(160))
    probes = rotations.from_quaternion(torch.randn(500, 4, generator=torch.Generator().manual_seed(0)))
    cosine = (torch.einsum("aij,bij->ab", probes, spread) - 1) / 2
    assert cosine.max(1).values.min() > math.cos(math.radians(60))
