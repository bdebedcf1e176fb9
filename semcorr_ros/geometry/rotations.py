"""Rotations: uniform sampling and quaternions (x, y, z, w)."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor


def from_quaternion(quat: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 3 3"]:
    """Compute the rotation matrix of a quaternion (x, y, z, w); it is normalized first."""
    x, y, z, w = torch.nn.functional.normalize(quat, dim=-1).unbind(-1)
    rows = [
        torch.stack([1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)], -1),
        torch.stack([2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)], -1),
        torch.stack([2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)], -1),
    ]
    return torch.stack(rows, -2)


def to_quaternion(rotation: Float[Tensor, "3 3"]) -> Float[Tensor, "4"]:
    """Compute the quaternion (x, y, z, w), w >= 0, of one rotation matrix."""
    r = rotation.double()
    # The largest eigenvector of this symmetric matrix is the quaternion (Bar-Itzhack 2000):
    # no branch on the trace, and still right for slightly non-orthonormal input.
    twist = torch.stack([r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]])
    k = torch.zeros(4, 4, dtype=r.dtype, device=r.device)
    k[:3, :3] = r + r.T - r.trace() * torch.eye(3, dtype=r.dtype, device=r.device)
    k[:3, 3], k[3, :3], k[3, 3] = twist, twist, r.trace()
    quat = torch.linalg.eigh(k / 3).eigenvectors[:, -1]
    return (quat * (1.0 if quat[3] >= 0 else -1.0)).to(rotation)


def to_vector(rotation: Float[Tensor, "3 3"]) -> Float[Tensor, "3"]:
    """Compute axis times angle in [0, pi] rad."""
    quat = to_quaternion(rotation)
    sine = quat[:3].norm()
    return quat[:3] / sine.clamp_min(1e-12) * 2 * torch.atan2(sine, quat[3])


def from_vector(vector: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Compute the rotation matrix of axis times angle (rad)."""
    half = 0.5 * vector
    angle = half.norm(dim=-1, keepdim=True)
    # sin(t) / t, with torch's sinc of pi t.
    return from_quaternion(torch.cat([half * torch.sinc(angle / math.pi), angle.cos()], -1))


def super_fibonacci(count: int) -> Float[Tensor, "rotation 3 3"]:
    """Spread rotations evenly (Alexa, Super-Fibonacci spirals, CVPR 2022)."""
    phi, psi = math.sqrt(2.0), 1.533751168755204288118041
    s = torch.arange(count, dtype=torch.float64) + 0.5
    r, big_r = torch.sqrt(s / count), torch.sqrt(1 - s / count)
    alpha, beta = 2 * math.pi * s / phi, 2 * math.pi * s / psi
    quat = torch.stack([r * alpha.sin(), r * alpha.cos(), big_r * beta.sin(), big_r * beta.cos()], -1)
    return from_quaternion(quat).float()


def golden_spiral(count: int) -> Float[Tensor, "direction 3"]:
    """Spread unit vectors evenly on a golden spiral."""
    z = 1 - (2 * torch.arange(count) + 1) / count
    angle = math.pi * (3 - math.sqrt(5)) * torch.arange(count)
    radius = (1 - z**2).sqrt()
    return torch.stack([radius * angle.cos(), radius * angle.sin(), z], -1)
