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


def test_vectors_are_axis_times_angle():
    axis = torch.tensor([2.0, -1.0, 2.0]) / 3
    for angle in (0.0, 1e-4, 0.3, 2.0, 3.1):
        turn = rotations.from_vector(angle * axis)
        assert abs(float(turn.trace()) - (1 + 2 * math.cos(angle))) < 1e-5
        torch.testing.assert_close(turn @ axis, axis)
        torch.testing.assert_close(rotations.to_vector(turn), angle * axis, atol=2e-4, rtol=0)
    quarter = rotations.from_vector(torch.tensor([0.0, 0.0, math.pi / 2]))
    torch.testing.assert_close(
        quarter @ torch.tensor([1.0, 0, 0]), torch.tensor([0.0, 1, 0]), atol=1e-6, rtol=0
    )


def test_the_quaternion_of_a_matrix_that_is_nearly_a_rotation():
    """The scalar part is not negative, and a common scale does not matter."""
    for rotation in rotations.super_fibonacci(20):
        quat = rotations.to_quaternion(1.001 * rotation)
        assert quat[3] >= 0
        assert abs(float(quat.norm()) - 1) < 1e-5
        torch.testing.assert_close(rotations.from_quaternion(3 * quat), rotation, atol=1e-4, rtol=0)


def test_the_published_spiral():
    """Alexa 2022: quaternion i of n."""
    count, i = 7, 3
    s, phi, psi = i + 0.5, math.sqrt(2), 1.533751168755204288118041
    alpha, beta = 2 * math.pi * s / phi, 2 * math.pi * s / psi
    r, rest = math.sqrt(s / count), math.sqrt(1 - s / count)
    quat = [r * math.sin(alpha), r * math.cos(alpha), rest * math.sin(beta), rest * math.cos(beta)]
    expected = rotations.from_quaternion(torch.tensor(quat))
    torch.testing.assert_close(rotations.super_fibonacci(count)[i], expected, atol=1e-5, rtol=0)
