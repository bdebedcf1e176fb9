"""Evaluate the schedules over a stretch of steps, as tables for the engines that have no autograd."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semcorr_ros.methods.semalign3d.alignment import objective
from semcorr_ros.methods.semalign3d.alignment.objective import ObjectiveConfig
from semcorr_ros.methods.semalign3d.alignment.optimize import OptimizeConfig, scheduled_at
from semcorr_ros.methods.semalign3d.alignment.state import Evidence
from semcorr_ros.methods.semalign3d.alignment.terms.background import axis, blur

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
    decay: float  # AdamW's, per unit of learning rate
    relative_depth: bool  # see terms/depth.py


class Planner:
    """Makes the plans of one image; the maps are on its device, the rest is on the CPU."""

    def __init__(self, evidence: Evidence, configs: tuple[OptimizeConfig, ObjectiveConfig]):
        self._evidence, (self._config, self._terms) = evidence, configs
        grid = evidence.background
        rows, columns = grid.share.shape
        x, squared_x = axis(columns, grid.origin[0], grid.step[0])
        y, squared_y = axis(rows, grid.origin[1], grid.step[1])
        self._squared = squared_x, squared_y
        self._low = torch.stack([x[0], y[0]]).cpu()
        self._per_unit = 1 / (torch.stack([x[1], y[1]]).cpu() - self._low)

    def plan(self, done: int, count: int) -> Plan:
        """Plan the `count` steps after `done`."""
        when = [scheduled_at(self._config, done + i) for i in range(count)]
        weights = [objective.weights_at(self._terms, at) for at in when]
        sigmas = [objective.sigmas_at(self._terms, at, self._evidence) for at in when]
        different = list(dict.fromkeys(dense for dense, _ in sigmas))
        needed = any(at.get("background") for at in weights)
        return Plan(
            weights=torch.tensor([[at.get(term, 0.0) for term in TERMS] for at in weights]),
            sigmas=torch.tensor(sigmas),
            blurred=self._blurred(different if needed else []),
            map_of=torch.tensor([different.index(dense) for dense, _ in sigmas]),
            low=self._low,
            per_unit=self._per_unit,
            decay=self._config.weight_decay,
            relative_depth=self._evidence.relative_depth,
        )

    def _blurred(self, sigmas: list[float]) -> Float[Tensor, "map row column"]:
        grid = self._evidence.background
        if not sigmas:
            return grid.share.new_zeros(0, 0, 0)
        return torch.stack([blur(grid, self._squared, sigma) for sigma in sigmas])
