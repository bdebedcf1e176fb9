"""Search every picture's camera again, all around: each may be reversed, or have left and right exchanged.

Also scores where hidden keypoints lie: what an annotator did not mark is mostly what the object itself
hides, so keypoints that are missing tend to be the farther ones.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from semcorr_ros.structure.adjust import Terms, adjust, rotated, view_costs
from semcorr_ros.structure.starts import best_cameras, upright_grid
from semcorr_ros.structure.state import Sightings, State

SECTORS = 8  # of the azimuth; the best camera of each is tried
STEPS = 12
HIDING = 1.0  # change of the log-odds of being annotated per radius towards the camera
MARGIN = 3.0  # nats by which another camera must be better
SWAP_MARGIN = 3.0  # nats by which exchanged sides must be better
SWAP_SHARE = 0.2  # of the pictures; where more look exchanged, sides cannot be told, or depth is reversed


def hiding_costs(state: State, sights: Sightings, basis: Tensor) -> Float[Tensor, "candidate view"]:
    """Compute minus the logarithm of the probability that just the annotated keypoints are annotated.

    Relative to every keypoint's own share of pictures: one that is always annotated carries no information.
    """
    often = sights.visible.double().mean(0).clamp(0.02, 0.98)
    base = (often / (1 - often)).log()
    depth = rotated(state, basis)[..., 2]
    odds = base - HIDING * (depth - depth.mean(-1, keepdim=True))
    sign = torch.where(sights.visible, 1.0, -1.0)
    return torch.nn.functional.softplus(-sign * odds).sum(-1)


def look_again(state: State, sights: Sightings, terms: Terms) -> State:
    """Replace the cameras of one candidate where others explain their picture clearly better."""
    tried, cost = _all_around(state, sights, terms)
    return _taken(state, tried, cost, MARGIN)


def exchanged(
    state: State, sights: Sightings, terms: Terms, flip: tuple[int, ...]
) -> tuple[State, Sightings, Bool[Tensor, "view"]]:
    """Exchange left and right, for one candidate, in the pictures that then fit clearly better."""
    order = torch.tensor(flip)
    other = replace(sights, points=sights.points[:, order], visible=sights.visible[:, order])
    now = _score(state, sights, terms)[0]
    tried, cost = _all_around(state, other, terms)
    swap = now - cost.min(0).values > SWAP_MARGIN
    if swap.double().mean() > SWAP_SHARE:
        swap = torch.zeros_like(swap)
    state = _taken(state, tried, torch.where(swap, cost, torch.inf), 0.0)
    points = torch.where(swap[:, None, None], other.points, sights.points)
    visible = torch.where(swap[:, None], other.visible, sights.visible)
    return state, replace(sights, points=points, visible=visible), swap


def _score(state: State, sights: Sightings, terms: Terms) -> Float[Tensor, "candidate view"]:
    return view_costs(state, sights, terms) + hiding_costs(state, sights, terms.basis)


def _all_around(state: State, sights: Sightings, terms: Terms) -> tuple[State, Float[Tensor, "choice view"]]:
    """Adjust the current camera and the best of every sector, shape held; also returns their scores."""
    grid = upright_grid()
    rows = torch.arange(len(grid)).chunk(SECTORS)
    found = [best_cameras(state.shape[:, 0], sights, terms.basis, grid[row]) for row in rows]
    rotation, scale, center = (torch.cat(parts) for parts in zip(*found, strict=True))
    count = SECTORS + 1
    tried = State(
        rotation=torch.cat([state.rotation, rotation]),
        center=torch.cat([state.center, center]),
        scale_log=torch.cat([state.scale_log, scale.log()]),
        focal_log=torch.cat([state.focal_log, torch.zeros_like(scale)]),
        weights=torch.cat([state.weights, state.weights.new_zeros(SECTORS, *state.weights.shape[1:])]),
        shape=state.shape.expand(count, -1, -1),
    )
    held = replace(terms, move_shape=False)
    tried, _ = adjust(tried, sights, replace(held, slip=3 * terms.slip), STEPS)
    tried, _ = adjust(tried, sights, held, STEPS)
    return tried, _score(tried, sights, terms)


def _taken(state: State, tried: State, cost: Tensor, margin: float) -> State:
    """Take the best camera of every picture; the first is the current one, and stays unless clearly worse."""
    handicap = torch.full((len(cost), 1), margin, dtype=cost.dtype)
    handicap[0] = 0
    best = (cost + handicap).argmin(0)
    changed = torch.isfinite(cost.gather(0, best[None])[0])
    view = torch.arange(len(best))

    def pick(name: str) -> Tensor:
        old, new = getattr(state, name)[0], getattr(tried, name)[best, view]
        return torch.where(changed.view(-1, *[1] * (old.dim() - 1)), new, old)[None]

    names = ("rotation", "center", "scale_log", "focal_log", "weights")
    return replace(state, **{name: pick(name) for name in names})
