"""Bundle adjustment of a deforming shape: Levenberg and Marquardt, cameras eliminated, many at once.

Minimised is minus the logarithm of a posterior: Cauchy's log(1 + (e / slip)^2) of the annotations and of the
cameras' roll, and half the squares of what else has a prior (mode weights, modes, focal lengths, apparent
sizes). Jacobians are written out; the Schur complement leaves a system of the shape alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.geometry.rotations import from_vector
from semcorr_ros.structure.config import LiftConfig
from semcorr_ros.structure.state import Sightings, State, choose

SIZE_WEIGHT = 20.0  # of the mean shape's squared RMS radius being 1
CENTER_WEIGHT = 1e3  # holds its centre at the origin
MEAN_WEIGHT = 1e-3  # holds what nothing else determines
HELD = 1e8  # stiffness of a number that is known
DAMPING = (1e-3, 1e-9, 1e9)  # first, least, most
ENOUGH = 1e-5  # relative gain of a step below which a candidate has converged


@dataclass(frozen=True)
class Terms:
    """What the cost is made of; stages differ in it."""

    slip: float
    perspective: float  # factor on the strength of perspective: 0 is scaled orthographic
    config: LiftConfig
    basis: Float[Tensor, "keypoint 3 free"]
    move_shape: bool = True  # False: only the cameras and mode weights


def shapes(state: State, basis: Tensor) -> Float[Tensor, "candidate view keypoint 3"]:
    """Compute the deformed shape of every picture."""
    parts = torch.einsum("kap,bjp->bjka", basis, state.shape)
    return parts[:, :1] + torch.einsum("bvj,bjka->bvka", state.weights, parts[:, 1:])


def rotated(state: State, basis: Tensor) -> Float[Tensor, "candidate view keypoint 3"]:
    """Rotate the deformed shapes into their cameras' axes."""
    return shapes(state, basis) @ state.rotation.mT


def projected(
    points: Tensor, state: State, sights: Sightings, perspective: float
) -> tuple[Float[Tensor, "candidate view keypoint 2"], Tensor, Tensor]:
    """Project rotated points; also return scale (B, V, 1), and scale times the strength of perspective."""
    scale = state.scale_log.exp()[..., None]
    strength = scale * (perspective * sights.bend * (-state.focal_log).exp())[..., None]
    # A point behind the camera is no solution; the limit keeps the step finite, the cost rejects it.
    depth = (1 + strength * points[..., 2]).clamp_min(0.05)
    return (scale[..., None] * points[..., :2] + state.center[:, :, None]) / depth[..., None], scale, strength


def annotation_costs(
    state: State, sights: Sightings, terms: Terms
) -> Float[Tensor, "candidate view keypoint"]:
    """Compute log(1 + (e / slip)^2) of every annotation, 0 where there is none."""
    places, _, _ = projected(rotated(state, terms.basis), state, sights, terms.perspective)
    error = (places - sights.points).square().sum(-1)
    return torch.log1p(error / terms.slip**2) * sights.visible


def view_costs(state: State, sights: Sightings, terms: Terms) -> Float[Tensor, "candidate view"]:
    """Add up annotations and priors of every picture: all that its camera and mode weights change."""
    prior = 0.5 * state.weights.square().sum(-1)
    prior = prior + torch.log1p((state.rotation[..., 0, 2] / terms.config.roll) ** 2)
    prior = prior + 0.5 * ((state.scale_log - terms.config.scale_log) / terms.config.relief) ** 2
    prior = prior + 0.5 * _focal_stiffness(sights, terms) * state.focal_log**2
    return annotation_costs(state, sights, terms).sum(-1) + prior


def _focal_stiffness(sights: Sightings, terms: Terms) -> Float[Tensor, "view"]:
    """Compute the stiffness of the logarithm of focal lengths.

    Those of known cameras are fixed; all are if `focal_spread` is 0.
    """
    spread = terms.config.focal_spread
    loose = 1 / spread**2 if spread > 0 else HELD
    return torch.where(sights.known, HELD, loose).double()


def shape_costs(state: State, terms: Terms) -> Float[Tensor, "candidate"]:
    """Add up the priors of the shape: small modes, RMS radius 1, centre at the origin."""
    norms = terms.basis.square().sum((0, 1))
    mean, modes = state.shape[:, 0], state.shape[:, 1:]
    off = (norms * mean**2).sum(-1) / len(terms.basis) - 1
    prior = 0.5 * (norms * modes**2).sum((-1, -2)) / terms.config.mode_size**2
    middle = torch.einsum("ap,bp->ba", terms.basis.mean(0), mean)
    held = (
        SIZE_WEIGHT * off**2
        + CENTER_WEIGHT * middle.square().sum(-1)
        + MEAN_WEIGHT * (norms * mean**2).sum(-1)
    )
    return prior + 0.5 * held


def costs(state: State, sights: Sightings, terms: Terms) -> Float[Tensor, "candidate"]:
    """Compute the minimised cost: minus the log posterior, up to a constant."""
    return view_costs(state, sights, terms).sum(-1) + shape_costs(state, terms)


def adjust(
    state: State, sights: Sightings, terms: Terms, steps: int
) -> tuple[State, Float[Tensor, "candidate"]]:
    """Minimise the cost by at most `steps` steps of Levenberg-Marquardt; also returns the costs."""
    damping = torch.full((len(state.shape),), DAMPING[0], dtype=torch.float64)
    cost = costs(state, sights, terms)
    idle = torch.zeros(len(cost), dtype=torch.int64)
    for _ in range(steps):
        trial = _moved(state, *_step(state, sights, terms, damping))
        value = costs(trial, sights, terms)
        better = value < cost
        arrived = better & (cost - value < ENOUGH * cost)
        state = choose(better, trial, state)
        cost = torch.where(better, value, cost)
        damping = torch.where(better, damping / 3, damping * 5).clamp(*DAMPING[1:])
        idle = torch.where(better & ~arrived, 0, idle + 1)
        if (idle >= 4).all():
            break
    return state, cost


def _step(state: State, sights: Sightings, terms: Terms, damping: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the changes of the cameras (B, V, Q) and of the shape (B, M + 1, P)."""
    error, camera, point = _jacobians(state, sights, terms)
    weight = 2 * sights.visible / (terms.slip**2 + error.square().sum(-1))
    left, right = _camera_system(state, sights, (error, camera, weight), terms)
    left = left + torch.diag_embed(damping[:, None, None] * left.diagonal(dim1=-2, dim2=-1) + 1e-9)
    if not terms.move_shape:
        return -torch.linalg.solve(left, right), torch.zeros_like(state.shape)
    return _eliminated(state, (error, camera, point, weight), (left, right), terms, damping)


def _jacobians(state: State, sights: Sightings, terms: Terms) -> tuple[Tensor, Tensor, Tensor]:
    """Compute the residual (B, V, K, 2) and its derivatives by camera (.., Q) and shape point (.., 3)."""
    parts = torch.einsum("kap,bjp->bjka", terms.basis, state.shape)
    whole = parts[:, :1] + torch.einsum("bvj,bjka->bvka", state.weights, parts[:, 1:])
    turned = whole @ state.rotation.mT
    places, scale, strength = projected(turned, state, sights, terms.perspective)
    depth = (1 + strength * turned[..., 2]).clamp_min(0.05)[..., None]
    pull = strength[..., None] * places / depth  # how much moving away shrinks the image
    by_turned = torch.zeros(*places.shape, 3, dtype=places.dtype)
    by_turned[..., 0, 0] = by_turned[..., 1, 1] = scale / depth[..., 0]
    by_turned[..., 2] = -pull
    zero = torch.zeros_like(turned[..., 0])
    x, y, z = turned.unbind(-1)
    cross = torch.stack([zero, z, -y, -z, zero, x, y, -x, zero], -1).unflatten(-1, (3, 3))
    by_mode = torch.einsum("bvkra,bvac,bjkc->bvkrj", by_turned, state.rotation, parts[:, 1:])
    by_center = torch.eye(2, dtype=places.dtype) / depth[..., None]
    along = pull * z[..., None]
    by_scale = scale[..., None] * turned[..., :2] / depth - along
    columns = [by_turned @ cross, by_center, by_scale[..., None], along[..., None], by_mode]
    return places - sights.points, torch.cat(columns, -1), by_turned @ state.rotation[:, :, None]


def _camera_system(
    state: State, sights: Sightings, parts: tuple[Tensor, Tensor, Tensor], terms: Terms
) -> tuple[Tensor, Tensor]:
    """Make the cameras' normal equations (B, V, Q, Q), (B, V, Q) from residual, Jacobian and weight."""
    error, camera, weight = parts
    weighted = weight[..., None, None] * camera
    left = torch.einsum("bvkrp,bvkrq->bvpq", weighted, camera)
    right = torch.einsum("bvkrp,bvkr->bvp", weighted, error)
    config, turn = terms.config, state.rotation
    tilt = turn[..., 0, 2]
    slope = torch.stack([torch.zeros_like(tilt), turn[..., 2, 2], -turn[..., 1, 2]], -1)
    level = (2 / (config.roll**2 + tilt**2))[..., None]
    left[..., :3, :3] += level[..., None] * slope[..., :, None] * slope[..., None, :]
    right[..., :3] += level * slope * tilt[..., None]
    left[..., 5, 5] += 1 / config.relief**2
    right[..., 5] += (state.scale_log - config.scale_log) / config.relief**2
    stiffness = _focal_stiffness(sights, terms)
    left[..., 6, 6] += stiffness
    right[..., 6] += stiffness * state.focal_log
    diagonal = torch.arange(7, left.shape[-1])
    left[..., diagonal, diagonal] += 1
    right[..., 7:] += state.weights
    return left, right


def _eliminated(
    state: State, parts: tuple[Tensor, ...], cameras: tuple[Tensor, Tensor], terms: Terms, damping: Tensor
) -> tuple[Tensor, Tensor]:
    """Solve for the shape with the cameras eliminated, then for the cameras."""
    error, camera, point, weight = parts
    left, right = cameras
    batch, views, modes = state.weights.shape
    amount = torch.cat([torch.ones(batch, views, 1, dtype=error.dtype), state.weights], -1)
    by_free = torch.einsum("bvkra,kap->bvkrp", point, terms.basis)
    weighted = weight[..., None, None] * by_free
    own = torch.einsum("bvkrp,bvkrq->bvpq", weighted, by_free)
    pull = torch.einsum("bvkrp,bvkr->bvp", weighted, error)
    mixed = torch.einsum("bvkrq,bvkrp->bvqp", camera, weighted)
    free = by_free.shape[-1]
    total = (modes + 1) * free
    system = torch.einsum("bvi,bvj,bvpq->bipjq", amount, amount, own).reshape(batch, total, total)
    target = torch.einsum("bvi,bvp->bip", amount, pull).reshape(batch, total)
    coupling = torch.einsum("bvi,bvqp->bvqip", amount, mixed).reshape(batch, views, -1, total)
    system, target = _with_shape_prior(system, target, state, terms)
    system = system + torch.diag_embed(damping[:, None] * system.diagonal(dim1=-2, dim2=-1) + 1e-9)
    solved = torch.linalg.solve(left, torch.cat([coupling, right[..., None]], -1))
    flat = coupling.flatten(1, 2)
    system = system - flat.mT @ solved[..., :-1].flatten(1, 2)
    target = target - (flat.mT @ solved[..., -1].flatten(1)[..., None])[..., 0]
    # A singular system gives no finite step, which the cost then rejects.
    change = -torch.linalg.solve_ex(system, target[..., None]).result[..., 0]
    cameras_change = -solved[..., -1] - (solved[..., :-1] @ change[:, None, :, None])[..., 0]
    return cameras_change, change.view(batch, modes + 1, free)


def _with_shape_prior(system: Tensor, target: Tensor, state: State, terms: Terms) -> tuple[Tensor, Tensor]:
    norms = terms.basis.square().sum((0, 1))
    mean, count, free = state.shape[:, 0], len(terms.basis), len(norms)
    weak, stiff = MEAN_WEIGHT * norms, norms / terms.config.mode_size**2
    rigidity = torch.cat([weak, stiff.repeat(state.shape.shape[1] - 1)])
    system = system + torch.diag(rigidity)
    target = target + rigidity * state.shape.flatten(1)
    slope = 2 * norms * mean / count
    off = (norms * mean**2).sum(-1) / count - 1
    system[:, :free, :free] += SIZE_WEIGHT * slope[:, :, None] * slope[:, None, :]
    target[:, :free] += SIZE_WEIGHT * off[:, None] * slope
    middle = terms.basis.mean(0)
    system[:, :free, :free] += CENTER_WEIGHT * middle.T @ middle
    target[:, :free] += CENTER_WEIGHT * mean @ (middle.T @ middle)
    return system, target


def _moved(state: State, cameras: Tensor, shape: Tensor) -> State:
    # Beyond half a turn the linearization means nothing.
    cameras = cameras.nan_to_num().clamp(-2, 2)
    return replace(
        state,
        rotation=from_vector(cameras[..., :3]) @ state.rotation,
        center=state.center + cameras[..., 3:5],
        scale_log=state.scale_log + cameras[..., 5],
        focal_log=state.focal_log + cameras[..., 6],
        weights=state.weights + cameras[..., 7:],
        shape=state.shape + shape.nan_to_num(),
    )
