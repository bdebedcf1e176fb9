"""Annotated images to a class's shape and the depth of every keypoint in every image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from semcorr_ros.structure.adjust import Terms, adjust, costs, projected, rotated
from semcorr_ros.structure.config import LiftConfig
from semcorr_ros.structure.poses import exchanged, hiding_costs, look_again
from semcorr_ros.structure.reversal import Nearer, Verdict, decide, reversed_depth
from semcorr_ros.structure.starts import first_states
from semcorr_ros.structure.state import Sightings, State, concatenate, symmetric_basis

COARSE = (0.3, 0.15)  # slips of the first stages
FIRST_STEPS = 15
# Mean cost of an annotation from which on a flip table is in doubt, and the share of it that must remain
# without: right tables give 0.05 to 0.15 on photographs and procedural classes, wrong ones 0.25 and more.
STRAINED, RELIEVED = 0.2, 0.35


@dataclass(frozen=True)
class Structure:
    """A class lifted from its keypoints. Lengths in units of the shape, the same in all images."""

    shape: Float[Tensor, "keypoint 3"]  # the mean, symmetric about y = 0, z up
    points: Float[Tensor, "view keypoint 3"]  # the deformed shape in the camera frame, visible or not
    camera_from_shape: Float[Tensor, "view 3 3"]
    focal: Float[Tensor, "view"]  # pixels
    error: Float[Tensor, "view keypoint"]  # of the annotation, in object radii; 0 where there is none
    swapped: Bool[Tensor, "view"]  # left and right are annotated the other way round
    symmetric: bool  # False: there is no flip table, or the keypoints do not obey it
    verdict: Verdict


def lift(
    sights: Sightings,
    flip: tuple[int, ...] | None,
    config: LiftConfig,
    generator: torch.Generator,
    sentences: Sequence[Nearer] = (),
) -> Structure:
    """Lift a class from its keypoints: the better of a solution and its depth reversal.

    The same generator state gives the same structure. A flip table that the keypoints contradict is ignored.
    Raises ValueError if the sentences do not decide between the two.
    """
    found = _lift(sights, flip, config, generator, sentences)
    if flip is None or found.verdict.annotations[0] < STRAINED:
        return found
    free = _lift(sights, None, config, generator, sentences)
    return free if free.verdict.annotations[0] < RELIEVED * found.verdict.annotations[0] else found


def _lift(
    sights: Sightings,
    flip: tuple[int, ...] | None,
    config: LiftConfig,
    generator: torch.Generator,
    sentences: Sequence[Nearer],
) -> Structure:
    basis = symmetric_basis(sights.visible.shape[1], flip)
    first = _rigid(sights, basis, config, generator)
    solved = [_deforming(one, sights, flip, _terms(config, basis, config.slip)) for one in first]
    terms = _terms(config, basis, config.slip)
    verdict = decide([(state, believed) for state, believed, _ in solved], terms, sentences)
    state, believed, swapped = solved[verdict.winner]
    return replace(_structure(state, believed, swapped, terms, verdict), symmetric=flip is not None)


def _terms(config: LiftConfig, basis: Tensor, slip: float, perspective: float = 1.0) -> Terms:
    return Terms(slip, perspective, config, basis)


def _rigid(sights: Sightings, basis: Tensor, config: LiftConfig, generator: torch.Generator) -> list[State]:
    """Find a rigid solution and its reversal, with perspective."""
    state = first_states(sights, basis, config.starts, generator)
    for slip in COARSE:
        state, cost = adjust(state, sights, _terms(config, basis, slip, 0.0), FIRST_STEPS)
    state = state.pick(cost.argsort()[: config.kept])
    state = concatenate(state, reversed_depth(state, basis))
    terms = _terms(config, basis, COARSE[-1])
    state, _ = adjust(state, sights, terms, config.steps)
    best = int(_total(state, sights, terms).argmin())
    count = len(state.shape)
    return [state.pick(torch.tensor([row])) for row in (best, (best + count // 2) % count)]


def _deforming(
    state: State, sights: Sightings, flip: tuple[int, ...] | None, terms: Terms
) -> tuple[State, Sightings, Tensor]:
    """Finish one candidate: search cameras again, exchange sides, fit modes."""
    config, swapped = terms.config, torch.zeros(len(sights.visible), dtype=torch.bool)
    coarse = replace(terms, slip=COARSE[-1])
    for _ in range(config.rounds):
        state, _ = adjust(look_again(state, sights, coarse), sights, coarse, config.steps)
    if flip is not None:
        state, sights, swapped = exchanged(state, sights, coarse, flip)
    state = _with_modes(state, sights, coarse, config.modes)
    for stage in (coarse, terms):
        state, _ = adjust(state, sights, stage, config.steps)
    for _ in range(config.rounds):
        state, _ = adjust(look_again(state, sights, terms), sights, terms, config.steps)
    return state, sights, swapped


def _with_modes(state: State, sights: Sightings, terms: Terms, count: int) -> State:
    """Add to a rigid `state` modes of one standard deviation each, and their weights."""
    views, free = state.scale_log.shape[1], state.shape.shape[-1]
    count = min(count, views - 1, free)
    if count < 1:
        return state
    norms = terms.basis.square().sum((0, 1))
    deviation = _deviations(state, sights, terms) * norms.sqrt()
    deviation = deviation - deviation.mean(1, keepdim=True)
    left, size, right = torch.linalg.svd(deviation, full_matrices=False)
    modes = size[:, :count, None] * right[:, :count] / views**0.5 / norms.sqrt()
    return replace(state, weights=left[..., :count] * views**0.5, shape=torch.cat([state.shape, modes], 1))


def _deviations(state: State, sights: Sightings, terms: Terms) -> Tensor:
    """Find the least changes, free coordinates (B, V, P), that move keypoints onto their annotations."""
    places, scale, _ = projected(rotated(state, terms.basis), state, sights, terms.perspective)
    error = sights.points - places
    trust = sights.visible / (1 + error.square().sum(-1) / terms.slip**2)
    across = error * trust[..., None] / scale[..., None]
    moved = torch.einsum("bvkr,bvra->bvka", across, state.rotation[..., :2, :])
    often = torch.einsum("kap,vk->vp", terms.basis.square(), sights.visible.double()).clamp_min(1)
    return torch.einsum("kap,bvka->bvp", terms.basis, moved) / often


def _total(state: State, sights: Sightings, terms: Terms) -> Float[Tensor, "candidate"]:
    return costs(state, sights, terms) + hiding_costs(state, sights, terms.basis).sum(-1)


def _structure(state: State, sights: Sightings, swapped: Tensor, terms: Terms, verdict: Verdict) -> Structure:
    turned = rotated(state, terms.basis)
    places, scale, strength = projected(turned, state, sights, terms.perspective)
    focal = sights.focal * state.focal_log[0].exp()
    depth = (1 / strength + turned[..., 2])[0]
    across = places[0] * (sights.radius / focal)[:, None, None] * depth[..., None]
    error = (places - sights.points)[0].norm(dim=-1) * sights.visible / scale[0]
    return Structure(
        shape=torch.einsum("kap,p->ka", terms.basis, state.shape[0, 0]),
        points=torch.cat([across, depth[..., None]], -1),
        camera_from_shape=state.rotation[0],
        focal=focal,
        error=error,
        swapped=swapped,
        symmetric=True,
        verdict=verdict,
    )
