"""What the schedules say about a stretch of steps, as tables for the engines that have no autograd."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semcorr_ros.alignment import objective
from semcorr_ros.alignment.optimize import Config, scheduled_at
from semcorr_ros.alignment.state import BackgroundGrid, Evidence
from semcorr_ros.alignment.terms.background import axis

# Terms that have a kernel, in the order of the columns of `weights`.
TERMS = ("reconstruction", "reconstruction_sparse", "geometry", "background", "depth")


@dataclass(frozen=True)
class Plan:
    """One row per step."""

    weights: Float[Tensor, "step 5"]
    sigmas: Float[Tensor, "step 2"]  # dense, sparse
    blurred: Float[Tensor, "map row column"]  # background lookup; no map while it has no weight
    map_of: Int[Tensor, "step"]  # the map of a step
    low: Float[Tensor, "2"]  # position x, y of a map's node (0, 0)
    per_unit: Float[Tensor, "2"]  # nodes per normalized unit


def make_plan(seen: Evidence, configs: tuple[Config, objective.Config], done: int, count: int) -> Plan:
    """Of the `count` steps after `done`; the maps stay on the image's device, the rest is on the CPU."""
    config, terms = configs
    when = [scheduled_at(config, done + i) for i in range(count)]
    weights = [[objective.weights_at(terms, at).get(term, 0.0) for term in TERMS] for at in when]
    sigmas = [objective.sigmas_at(terms, at, seen) for at in when]
    different = list(dict.fromkeys(dense for dense, _ in sigmas))
    needed = any(row[TERMS.index("background")] for row in weights)
    low, per_unit, blurred = _lookups(seen.background, different if needed else [])
    return Plan(
        weights=torch.tensor(weights),
        sigmas=torch.tensor(sigmas),
        blurred=blurred,
        map_of=torch.tensor([different.index(dense) for dense, _ in sigmas]),
        low=low,
        per_unit=per_unit,
    )


def _lookups(grid: BackgroundGrid, sigmas: list[float]) -> tuple[Tensor, Tensor, Tensor]:
    """Position of the first node, nodes per unit, and the background blurred by every sigma."""
    if not sigmas:
        return torch.zeros(2), torch.ones(2), grid.share.new_zeros(0, 0, 0)
    rows, columns = grid.share.shape
    share = grid.share / grid.share.sum().clamp_min(1e-9)
    blurred = []
    for sigma in sigmas:
        y, wy = axis(rows, grid.origin[1], grid.step[1], sigma)
        x, wx = axis(columns, grid.origin[0], grid.step[0], sigma)
        blurred.append(wy @ share @ wx.T)
    low, following = torch.stack([x[0], y[0]]).cpu(), torch.stack([x[1], y[1]]).cpu()
    return low, 1 / (following - low), torch.stack(blurred)
