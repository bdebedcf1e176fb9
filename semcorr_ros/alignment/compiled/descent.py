"""The loop of `optimize`, with all its arithmetic in compiled kernels on the CPU.

Same objective, schedules, image points and optimiser as alignment/reference.py: results differ by
rounding only. Hypotheses are shared out among threads; nothing but Python's loop over a few steps at a
time needs the interpreter, so other threads of a process go on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from semcorr_ros.alignment import objective, shape_space
from semcorr_ros.alignment.compiled import step
from semcorr_ros.alignment.compiled.tables import Array, Class, Image, class_tables, image_tables
from semcorr_ros.alignment.compiled.threads import share_out
from semcorr_ros.alignment.free_keypoints import FreeKeypoints
from semcorr_ros.alignment.initialize import Starts
from semcorr_ros.alignment.optimize import Config, Optimized, StepCallback, kept_at, scheduled_at, survivors
from semcorr_ros.alignment.state import BackgroundGrid, Evidence
from semcorr_ros.alignment.terms.background import axis
from semcorr_ros.artifacts import ClassRepresentation

TERMS = ("reconstruction", "reconstruction_sparse", "geometry", "background", "depth")
MODES, RESIDUAL = shape_space.MODES_RATE, shape_space.RESIDUAL_RATE
CHUNK = 5  # steps between looking at cuts and at `on_step`


def optimize(
    model: ClassRepresentation,
    seen: Evidence,
    starts: Starts,
    configs: tuple[Config, objective.Config],
    generator: torch.Generator,
    on_step: StepCallback | None = None,
) -> Optimized:
    """Minimise the objective from every start; see engine.Engine."""
    config, device = configs[0], model.sparse.device
    free = config.parametrization == "free_keypoints"
    known, image = class_tables(model, seen.visibility), image_tables(seen)
    planner = _Planner(model, seen, configs, generator)
    search = _start(model, starts, config)
    done = 0
    while done < config.steps:
        count = _until_cut(config, done, len(search.value))
        _descend(search, (known, image, planner.plan(done, count), free))
        done += count
        keep = kept_at(config, done - 1, len(search.value))
        best = float(search.value.min())
        if keep < len(search.value):
            total = torch.from_numpy(search.value)
            placed = _keypoints(search).to(device)
            rows = survivors(model, placed, total.to(device), keep, config.separation_deg).cpu()
            search = step.Search(*(array[rows.numpy()] for array in search))
        if on_step is not None and not on_step(done, config.steps, best):
            break
    focal = torch.from_numpy(np.exp(search.numbers[:, -1]))
    surface = torch.from_numpy(search.surface)
    return Optimized(_keypoints(search).to(device), focal.to(device), surface.to(device))


def _descend(search: step.Search, rest: tuple[Class, Image, step.Plan, bool]) -> None:
    def work(rows: slice) -> None:
        step.descend(step.Search(*(array[rows] for array in search)), *rest)

    share_out(work, len(search.value))


def _keypoints(search: step.Search) -> Tensor:
    return torch.from_numpy(search.points).mT.contiguous()


def _start(model: ClassRepresentation, starts: Starts, config: Config) -> step.Search:
    if config.parametrization == "free_keypoints":
        leaves = [FreeKeypoints.start(model, starts).positions]
    else:
        begun = shape_space.ShapeSpace.start(model, starts)
        leaves = [begun.quaternion, begun.translation, begun.log_scale, begun.modes, begun.residual]
    rows = [*leaves, starts.focal.log()]
    joined = torch.cat([row.reshape(len(starts.focal), -1) for row in rows], 1)
    numbers = np.ascontiguousarray(joined.cpu().numpy(), dtype=np.float32)
    count = len(numbers)
    return step.Search(
        numbers=numbers,
        first=np.zeros_like(numbers),
        second=np.zeros_like(numbers),
        surface=starts.surface_depth.cpu().numpy().astype(np.float32),
        points=np.zeros((count, 3, len(model.sparse)), np.float32),
        value=np.zeros(count, np.float32),
    )


def _until_cut(config: Config, done: int, count: int) -> int:
    """Steps to go before something must be looked at."""
    most = min(CHUNK, config.steps - done)
    for ahead in range(1, most):
        if kept_at(config, done + ahead - 1, count) < count:
            return ahead
    return most


@dataclass
class _Planner:
    """Schedules and draws of the coming steps."""

    model: ClassRepresentation
    seen: Evidence
    configs: tuple[Config, objective.Config]
    generator: torch.Generator

    def plan(self, done: int, count: int) -> step.Plan:
        """The next `count` steps."""
        config, terms = self.configs
        when = [scheduled_at(config, done + i) for i in range(count)]
        weights = [objective.weights_at(terms, at) for at in when]
        sigmas = [objective.sigmas_at(terms, at, self.seen) for at in when]
        pool = len(self.seen.dense.points)
        rows = torch.stack(
            [torch.randint(pool, (2, config.batch), generator=self.generator) for _ in range(count)]
        ).numpy()
        needed = any(at.get("background") for at in weights)
        wanted = [sigma for sigma, _ in sigmas] if needed else []
        low, per_unit, blurred = _lookups(self.seen.background, wanted)
        return step.Plan(
            done=done,
            rates=_rates(self.model, self.seen, config),
            weights=np.array([[w.get(term, 0.0) for term in TERMS] for w in weights], np.float32),
            sigmas=np.array(sigmas, np.float32),
            rows_dense=np.ascontiguousarray(rows[:, 0]).astype(np.uint64),
            rows_sparse=np.ascontiguousarray(rows[:, 1]).astype(np.uint64),
            blurred=blurred,
            low=low,
            per_unit=per_unit,
        )


def _rates(model: ClassRepresentation, seen: Evidence, config: Config) -> Array:
    residual = 3 * len(model.sparse)
    focal = [0.0 if seen.focal is not None else 1.0]
    if config.parametrization == "free_keypoints":
        rates = [1.0] * residual + focal
    else:
        rates = [1.0] * 8 + [MODES] * len(model.shape_modes) + [RESIDUAL] * residual + focal
    return np.array(rates, np.float32) * np.float32(config.lr)


def _lookups(background: BackgroundGrid, sigmas: list[float]) -> tuple[Array, Array, Array]:
    """Position of the first node, nodes per unit, and the blurred background for every sigma."""
    if not sigmas:
        return np.zeros(2, np.float32), np.ones(2, np.float32), np.zeros((0, 0, 0), np.float32)
    rows, columns = background.share.shape
    background = BackgroundGrid(background.share.cpu(), background.origin.cpu(), background.step.cpu())
    share = background.share / background.share.sum().clamp_min(1e-9)
    maps: dict[float, Tensor] = {}
    for sigma in set(sigmas):
        y, wy = axis(rows, background.origin[1], background.step[1], sigma)
        x, wx = axis(columns, background.origin[0], background.step[0], sigma)
        maps[sigma] = wy @ share @ wx.T
    low = np.array([x[0], y[0]], np.float32)
    per_unit = np.array([1 / float(x[1] - x[0]), 1 / float(y[1] - y[0])], np.float32)
    return low, per_unit, torch.stack([maps[sigma] for sigma in sigmas]).numpy()
