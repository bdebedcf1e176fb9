"""The objective as it is written in terms/, minimised through autograd: slow, plain, on any device.

What the compiled engine must agree with, and what a new energy term runs on.
"""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.methods.semalign3d.alignment import objective
from semcorr_ros.methods.semalign3d.alignment.initialize import Starts
from semcorr_ros.methods.semalign3d.alignment.objective import ObjectiveConfig
from semcorr_ros.methods.semalign3d.alignment.optimize import (
    OptimizeConfig,
    Optimized,
    StepCallback,
    kept_at,
    scheduled_at,
    survivors,
)
from semcorr_ros.methods.semalign3d.alignment.parametrizations import FreeKeypoints, ShapeSpace
from semcorr_ros.methods.semalign3d.alignment.state import Evidence
from semcorr_ros.methods.semalign3d.alignment.terms import reconstruction
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation

PARAMETRIZATIONS: dict[str, type[ShapeSpace] | type[FreeKeypoints]] = {
    "shape_space": ShapeSpace,
    "free_keypoints": FreeKeypoints,
}


def optimize(
    model: ClassRepresentation,
    evidence: Evidence,
    starts: Starts,
    configs: tuple[OptimizeConfig, ObjectiveConfig],
    generator: torch.Generator,
    on_step: StepCallback | None = None,
) -> Optimized:
    """Minimise the objective from every start; see engine.Engine."""
    config, terms = configs
    search = Search(model, starts, config, fixed_focal=evidence.focal is not None)
    for step in range(config.steps):
        scheduled = scheduled_at(config, step)
        rows = torch.randint(len(evidence.dense.points), (2, config.batch), generator=generator)
        rows = rows.to(evidence.dense.points.device)
        glimpse = replace(
            evidence, dense=evidence.dense.subset(rows[0]), sparse=evidence.sparse.subset(rows[1])
        )
        state = objective.make_state(
            model,
            search.keypoints(),
            search.placement(),
            glimpse,
            objective.sigmas_at(terms, scheduled, evidence),
        )
        total, _ = objective.evaluate(state, glimpse, model, objective.weights_at(terms, scheduled))
        search.descend(total)
        keep = kept_at(config, step, len(total))
        if keep < len(total):
            search.keep(survivors(model, search.keypoints(), total, keep, config.separation_deg))
        if on_step is not None and not on_step(step + 1, config.steps, float(total.detach().min())):
            break
    focal, surface_depth = search.placement()
    return Optimized(search.keypoints().detach(), focal.detach(), surface_depth)


@torch.no_grad()
def score(
    model: ClassRepresentation, evidence: Evidence, starts: Starts, sigma: float, samples: int
) -> Float[Tensor, "start"]:
    """Compute the dense reconstruction likelihood of the undeformed class at the starts.

    See engine.Engine.
    """
    few = torch.arange(min(samples, len(evidence.dense.points)))
    glimpse = replace(evidence, dense=evidence.dense.subset(few))
    scores = []
    for part in torch.arange(len(starts.focal)).split(64):
        keypoints = model.sparse @ starts.rotation[part].mT + starts.translation[part, None]
        placement = starts.focal[part], starts.surface_depth[part]
        state = objective.make_state(model, keypoints, placement, glimpse, (sigma, sigma))
        scores.append(-reconstruction.energy(state, glimpse, model))
    return torch.cat(scores)


class Search:
    """Hypotheses during the descent: leaf tensors, their optimiser, and working depths."""

    def __init__(
        self, model: ClassRepresentation, starts: Starts, config: OptimizeConfig, fixed_focal: bool
    ) -> None:
        self.model, self.config, self.fixed_focal = model, config, fixed_focal
        self.surface_depth = starts.surface_depth
        self.log_focal = starts.focal.log()
        self.hypotheses = PARAMETRIZATIONS[config.parametrization].start(model, starts)
        self._make_optimizer()

    def _make_optimizer(self) -> None:
        for tensor in self._leaves().values():
            tensor.requires_grad_(True)
        groups: list[dict[str, Any]] = self.hypotheses.parameters(self.config.lr)
        if not self.fixed_focal:
            groups.append({"params": [self.log_focal.requires_grad_(True)], "lr": self.config.lr})
        self.optimizer = torch.optim.AdamW(groups, weight_decay=self.config.weight_decay)

    def _leaves(self) -> dict[str, Tensor]:
        return {f.name: getattr(self.hypotheses, f.name) for f in dataclasses.fields(self.hypotheses)}

    def keypoints(self) -> Float[Tensor, "hypothesis keypoint 3"]:
        return self.hypotheses.keypoints(self.model)

    def placement(self) -> tuple[Float[Tensor, "hypothesis"], Float[Tensor, "hypothesis"]]:
        return self.log_focal.exp(), self.surface_depth

    def descend(self, total: Float[Tensor, "hypothesis"]) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        total.sum().backward()
        self.optimizer.step()

    def keep(self, rows: Tensor) -> None:
        """Keep only these hypotheses, and their optimiser moments."""
        before = [p for group in self.optimizer.param_groups for p in group["params"]]
        moments = [self.optimizer.state[p] for p in before]
        kept: Any = {name: tensor.detach()[rows].clone() for name, tensor in self._leaves().items()}
        self.hypotheses = replace(self.hypotheses, **kept)
        self.log_focal = self.log_focal.detach()[rows].clone()
        self.surface_depth = self.surface_depth[rows]
        self._make_optimizer()
        after = [p for group in self.optimizer.param_groups for p in group["params"]]
        for parameter, old in zip(after, moments, strict=True):
            self.optimizer.state[parameter] = {
                name: value[rows] if value.dim() else value for name, value in old.items()
            }
