"""First shapes and cameras: guess a shape, find the best cameras on a grid, solve for the shape, again.

Photographs are upright, so the height of a keypoint in the image already tells much of its height on the
object; the other two coordinates are random. A grid of all cameras has no local minima, and scaled
orthographic cameras give both steps closed forms.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.structure.state import Sightings, State

AZIMUTHS = 32
ELEVATIONS = (-20.0, 0.0, 20.0, 40.0, 60.0)  # degrees
FREE_ROLL = math.radians(20)  # of the camera; more costs likeness
ROUNDS = 12
RIDGE = 0.05


def upright_grid(azimuths: int = AZIMUTHS) -> Float[Tensor, "camera 3 3"]:
    """Compute rotations camera_from_shape of upright cameras all around a shape whose z points up."""
    around = torch.arange(azimuths, dtype=torch.float64) * (2 * math.pi / azimuths)
    above = torch.deg2rad(torch.tensor(ELEVATIONS, dtype=torch.float64))
    azimuth, elevation = (t.flatten() for t in torch.meshgrid(around, above, indexing="ij"))
    c, s, ce, se = azimuth.cos(), azimuth.sin(), elevation.cos(), elevation.sin()
    right = torch.stack([-s, c, torch.zeros_like(c)], -1)
    down = torch.stack([c * se, s * se, -ce], -1)
    ahead = torch.stack([-c * ce, -s * ce, -se], -1)
    return torch.stack([right, down, ahead], -2)


def random_shapes(
    sights: Sightings, basis: Float[Tensor, "keypoint 3 free"], count: int, generator: torch.Generator
) -> Float[Tensor, "start free"]:
    """Draw shapes: heights from the images, the rest random; symmetric as the basis is."""
    shown = sights.visible.double()
    middle = (sights.points * shown[..., None]).sum(1) / shown.sum(1).clamp_min(1)[:, None]
    height = -((sights.points - middle[:, None])[..., 1] * shown).sum(0) / shown.sum(0).clamp_min(1)
    shape = torch.randn(count, *basis.shape[:2], generator=generator, dtype=torch.float64)
    shape[..., 2] = height + 0.2 * shape[..., 2]
    return _normalized(torch.einsum("kap,bka->bp", basis, shape) / basis.square().sum((0, 1)), basis)


def first_states(
    sights: Sightings, basis: Float[Tensor, "keypoint 3 free"], count: int, generator: torch.Generator
) -> State:
    """Make `count` candidates with scaled orthographic cameras and no modes."""
    free = random_shapes(sights, basis, count, generator)
    grid = upright_grid()
    rotation, scale, center = best_cameras(free, sights, basis, grid)
    for _ in range(ROUNDS):
        free = _normalized(_solve_shape(rotation, scale, center, sights, basis), basis)
        rotation, scale, center = best_cameras(free, sights, basis, grid)
    return _state(rotation, scale, center, free)


def best_cameras(
    free: Tensor, sights: Sightings, basis: Tensor, grid: Float[Tensor, "camera 3 3"]
) -> tuple[Tensor, Tensor, Tensor]:
    """Choose from the grid, turned in the image plane: rotation (B, V, 3, 3), scale, center (B, V, 2)."""
    shape = torch.einsum("kap,bp->bka", basis, free)
    turned = torch.einsum("gra,bka->bgkr", grid[:, :2], shape)
    shown = sights.visible.double()
    share = shown / shown.sum(1, keepdim=True).clamp_min(1)
    flat, places = (torch.view_as_complex(t.contiguous()) for t in (turned, sights.points))
    middle = torch.einsum("bgk,vk->bvg", flat, share.to(flat))
    target = (places * share).sum(1)
    product = torch.einsum("bgk,vk->bvg", flat.conj(), share * (places - target[:, None]))
    extent = torch.einsum("bgk,vk->bvg", flat.abs().square(), share) - middle.abs().square()
    roll = product.angle()
    likeness = product.abs() * (roll.abs() - FREE_ROLL).clamp_min(0).cos().clamp_min(0)
    best = (likeness / (extent.clamp_min(1e-6)).sqrt()).argmax(-1, keepdim=True)
    roll, product, middle, extent = (t.gather(-1, best)[..., 0] for t in (roll, product, middle, extent))
    scale = (product.abs() / extent.clamp_min(1e-3)).clamp(0.05, 20)
    center = target - scale * middle * torch.polar(torch.ones_like(roll), roll)
    return _rolled(grid[best[..., 0]], roll), scale, torch.view_as_real(center)


def _rolled(rotation: Tensor, roll: Tensor) -> Tensor:
    c, s, zero, one = roll.cos(), roll.sin(), torch.zeros_like(roll), torch.ones_like(roll)
    turn = torch.stack([c, -s, zero, s, c, zero, zero, zero, one], -1).unflatten(-1, (3, 3))
    return turn @ rotation


def _solve_shape(rotation: Tensor, scale: Tensor, center: Tensor, sights: Sightings, basis: Tensor) -> Tensor:
    """Solve least squares with a small ridge."""
    rows = torch.einsum("bv,bvra,kap->bvkrp", scale, rotation[..., :2, :], basis)
    weighted = rows * sights.visible[..., None, None]
    left = torch.einsum("bvkrp,bvkrq->bpq", weighted, rows)
    right = torch.einsum("bvkrp,bvkr->bp", weighted, sights.points - center[:, :, None])
    return torch.linalg.solve(left + RIDGE * torch.eye(left.shape[-1], dtype=left.dtype), right)


def _normalized(free: Tensor, basis: Tensor) -> Tensor:
    """Scale free coordinates to a shape of RMS radius 1, centred as far as symmetry allows."""
    shape = torch.einsum("kap,bp->bka", basis, free)
    shape = shape - shape.mean(1, keepdim=True)
    radius = shape.square().sum(-1).mean(-1).sqrt().clamp_min(1e-9)
    return torch.einsum("kap,bka->bp", basis, shape / radius[:, None, None]) / basis.square().sum((0, 1))


def _state(rotation: Tensor, scale: Tensor, center: Tensor, free: Tensor) -> State:
    empty = torch.zeros(*scale.shape, dtype=torch.float64)
    return State(rotation, center, scale.log(), empty, empty[..., None][..., :0], free[:, None])
