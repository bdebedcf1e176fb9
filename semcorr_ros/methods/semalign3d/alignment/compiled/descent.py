"""The loop of `optimize`, with all its arithmetic in compiled kernels on the CPU.

Same objective, schedules, image points and optimiser as alignment/reference.py: results differ by
rounding only. Hypotheses are shared out among threads; nothing but Python's loop over a few steps at a
time needs the interpreter, so other threads of a process go on.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from semcorr_ros.methods.semalign3d.alignment import numbers
from semcorr_ros.methods.semalign3d.alignment.compiled import layout, library, tables
from semcorr_ros.methods.semalign3d.alignment.compiled.threads import share_out
from semcorr_ros.methods.semalign3d.alignment.initialize import Starts
from semcorr_ros.methods.semalign3d.alignment.objective import ObjectiveConfig
from semcorr_ros.methods.semalign3d.alignment.optimize import (
    OptimizeConfig,
    Optimized,
    StepCallback,
    draws,
    kept_at,
    steps_until_cut,
    survivors,
)
from semcorr_ros.methods.semalign3d.alignment.plan import Plan, Planner
from semcorr_ros.methods.semalign3d.alignment.state import Evidence
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation

CHUNK = 5  # steps between looking at cuts and at `on_step`


def optimize(
    model: ClassRepresentation,
    evidence: Evidence,
    starts: Starts,
    configs: tuple[OptimizeConfig, ObjectiveConfig],
    generator: torch.Generator,
    on_step: StepCallback | None = None,
) -> Optimized:
    """Minimise the objective from every start; see engine.Engine."""
    config, device = configs[0], model.sparse.device
    free = config.parametrization == "free_keypoints"
    known, image = tables.class_tables(model, evidence.visibility), tables.image_tables(evidence)
    addresses = layout.of_class(known), layout.of_image(image, known)
    rates, planner = numbers.rates(model, evidence, config).cpu().numpy(), Planner(evidence, configs)
    search = _start(model, starts, config)
    done = 0
    while done < config.steps:
        count = steps_until_cut(config, done, len(search.value), CHUNK)
        rows = draws(len(evidence.dense.points), config.batch, count, generator)
        coming = plan(planner.plan(done, count), done, rates, rows)

        def work(part: slice, search: tables.Search = search, coming: tables.Plan = coming) -> None:
            descend(tables.Search(*(array[part] for array in search)), known, addresses, coming, free)

        share_out(work, len(search.value))
        done += count
        keep = kept_at(config, done - 1, len(search.value))
        best = float(search.value.min())
        if keep < len(search.value):
            total = torch.from_numpy(search.value)
            placed = _keypoints(search).to(device)
            rows = survivors(model, placed, total.to(device), keep, config.separation_deg).cpu()
            search = tables.Search(*(array[rows.numpy()] for array in search))
        if on_step is not None and not on_step(done, config.steps, best):
            break
    focal = torch.from_numpy(np.exp(search.numbers[:, -1]))
    surface = torch.from_numpy(search.surface)
    return Optimized(_keypoints(search).to(device), focal.to(device), surface.to(device))


def descend(
    search: tables.Search,
    known: tables.Class,
    addresses: tuple[layout.Class, layout.Image],
    coming: tables.Plan,
    free: bool,
) -> None:
    """Run the planned steps of Adam (kernels/step.hpp); `free`: the numbers are keypoint positions."""
    keypoints, size = len(known.sparse), search.numbers.shape[1]
    steps, rows = layout.of_plan(coming, size), layout.of_search(search, keypoints)
    library.load().semcorr_descend(rows, *addresses, steps, int(free))


def _keypoints(search: tables.Search) -> Tensor:
    return torch.from_numpy(search.points).mT.contiguous()


def _start(model: ClassRepresentation, starts: Starts, config: OptimizeConfig) -> tables.Search:
    rows = numbers.pack(model, starts, config).cpu().numpy()
    count = len(rows)
    return tables.Search(
        numbers=rows,
        first=np.zeros_like(rows),
        second=np.zeros_like(rows),
        surface=starts.surface_depth.cpu().numpy().astype(np.float32),
        points=np.zeros((count, 3, len(model.sparse)), np.float32),
        value=np.zeros(count, np.float32),
    )


def plan(when: Plan, done: int, rates: tables.Array, rows: Int[Tensor, "step 2 batch"]) -> tables.Plan:
    """Convert the schedules of the steps after `done`, and their image points, to arrays."""
    drawn = rows.numpy().astype(np.int32)
    return tables.Plan(
        done=done,
        rates=rates,
        weights=when.weights.numpy(),
        sigmas=when.sigmas.numpy(),
        rows_dense=np.ascontiguousarray(drawn[:, 0]),
        rows_sparse=np.ascontiguousarray(drawn[:, 1]),
        blurred=when.blurred.cpu().numpy(),
        map_of=when.map_of.numpy().astype(np.int32),
        low=when.low.numpy(),
        per_unit=when.per_unit.numpy(),
        decay=when.decay,
        relative_depth=when.relative_depth,
    )
