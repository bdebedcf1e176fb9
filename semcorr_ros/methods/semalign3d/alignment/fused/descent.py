"""The loop of `optimize` around the kernel: cuts, callbacks, schedules.

Same objective, schedules, image points and optimiser as alignment/reference.py: results differ by
rounding only, and come out the same every time.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
from torch import Tensor

from semcorr_ros.methods.semalign3d.alignment import numbers
from semcorr_ros.methods.semalign3d.alignment.fused.kernel import COLUMNS, descend
from semcorr_ros.methods.semalign3d.alignment.fused.tables import (
    Class,
    class_tables,
    lanes,
    sample_tables,
    semantic_table,
)
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
from semcorr_ros.methods.semalign3d.alignment.plan import Planner
from semcorr_ros.methods.semalign3d.alignment.state import Evidence
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation

INTERPRETED = bool(os.environ.get("TRITON_INTERPRET"))  # then it runs on the CPU, very slowly
CHUNK = 50  # steps per launch, and between calls of `on_step`
# Tiles of the kernel: image points, combinations and edges that are worked on side by side.
TILE, BLOCK, ROWS, WARPS = 8, 512, 16, 16


@dataclass(frozen=True)
class Search:
    """Hypotheses (one row each) with their moments; written in place."""

    numbers: Tensor  # (H, P), see alignment/numbers.py
    first: Tensor
    second: Tensor
    surface: Tensor  # (H,) working depth of the visible surface
    points: Tensor  # (H, 3, LP) keypoints at the numbers
    value: Tensor  # (H,) objective before the last step


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
    if device.type == "cpu" and not INTERPRETED:
        raise ValueError("engine 'fused' runs on a GPU, the class is on the CPU; use 'auto'")
    work = Work.prepare(model, evidence, configs)
    search, done = start(model, starts, config), 0
    while done < config.steps:
        count = steps_until_cut(config, done, len(search.value), CHUNK)
        work.descend(search, done, count, generator)
        done += count
        keep = kept_at(config, done - 1, len(search.value))
        best = float(search.value.min()) if on_step is not None else 0.0
        if keep < len(search.value):
            rows = survivors(model, _keypoints(model, search), search.value, keep, config.separation_deg)
            search = Search(*(tensor[rows] for tensor in vars(search).values()))
        if on_step is not None and not on_step(done, config.steps, best):
            break
    return Optimized(_keypoints(model, search), search.numbers[:, -1].exp(), search.surface)


def start(model: ClassRepresentation, starts: Starts, config: OptimizeConfig) -> Search:
    """Begin a search at the starts, with zero Adam moments."""
    packed = numbers.pack(model, starts, config)
    count = len(packed)
    return Search(
        numbers=packed,
        first=torch.zeros_like(packed),
        second=torch.zeros_like(packed),
        surface=starts.surface_depth.to(torch.float32).contiguous(),
        points=packed.new_zeros(count, 3, lanes(len(model.sparse))),
        value=packed.new_zeros(count),
    )


def _keypoints(model: ClassRepresentation, search: Search) -> Tensor:
    return search.points[..., : len(model.sparse)].mT.contiguous()


@dataclass(frozen=True)
class Work:
    """A class and an image on the device, and how they are compared."""

    model: ClassRepresentation
    evidence: Evidence
    configs: tuple[OptimizeConfig, ObjectiveConfig]
    known: Class
    samples: Tensor
    semantic: tuple[Tensor, Tensor]
    planner: Planner

    @staticmethod
    def prepare(
        model: ClassRepresentation, evidence: Evidence, configs: tuple[OptimizeConfig, ObjectiveConfig]
    ) -> Work:
        """Copy what stays constant over the steps into tables."""
        known = class_tables(model, evidence.visibility, numbers.rates(model, evidence, configs[0]))
        semantic = semantic_table(evidence.dense), semantic_table(evidence.sparse)
        planner = Planner(evidence, configs)
        return Work(model, evidence, configs, known, sample_tables(evidence), semantic, planner)

    def descend(self, search: Search, done: int, count: int, generator: torch.Generator) -> None:
        """Run `count` steps after `done`."""
        self.launch(search, done, draws(self.samples.shape[1], self.configs[0].batch, count, generator))

    def launch(self, search: Search, done: int, rows: Tensor) -> None:
        """Launch T steps; rows (T, 2, batch): the image points of each."""
        device = search.numbers.device
        plan, blurred = self._plan(done, len(rows))
        hypotheses, size = search.numbers.shape
        keypoints, points = self.model.dense.barycentric.T.shape
        modes = len(self.model.shape_modes)
        lp, np = lanes(keypoints), lanes(points)
        pairs, triples = self.known.pairs, self.known.triples
        room = max(pairs.room, triples.room)
        holds = 3 * np + 3 * lp + lanes(size) + 2 * (8 * lp * lp + 4 * room)
        descend[(hypotheses,)](
            search.numbers, search.first, search.second, search.surface, search.value, search.points,
            self.known.known, self.known.links, self.samples, *self.semantic,
            rows.to(torch.int32).contiguous().to(device), plan, blurred,
            # Zeros: boxes and edges that never occur stay empty.
            torch.zeros(hypotheses * holds, device=device),
            torch.empty(hypotheses * 3 * (np + lp), dtype=torch.int64, device=device),
            len(rows), keypoints, points, modes, size, self.samples.shape[1],
            pairs.links.shape[1], len(pairs.used), triples.links.shape[1], len(triples.used),
            blurred.shape[1], blurred.shape[2], room, rows.shape[2], holds, pairs.at_mode + triples.at_mode,
            LP=lp, NP=np, MP=lanes(modes, 1), PP=lanes(size), PAIR_DEPTH=pairs.depth,
            TRIPLE_DEPTH=triples.depth, TILE=TILE, BLOCK=BLOCK, ROWS=ROWS,
            FREE=self.configs[0].parametrization == "free_keypoints",
            TURNED=self.evidence.visibility and self.model.dense.prototypes.facing is not None,
            TURNED_SPARSE=self.evidence.visibility and self.model.sparse_prototypes.facing is not None,
            PAIRS=len(pairs.used) > 0, TRIPLES=len(triples.used) > 0, num_warps=WARPS,
        )  # fmt: skip

    def _plan(self, done: int, count: int) -> tuple[Tensor, Tensor]:
        """Tabulate weights, sigmas, Adam's bias corrections and map lookup, a row per step; and the maps."""
        when = self.planner.plan(done, count)
        steps = torch.arange(done + 1, done + count + 1)
        rows = torch.zeros(count, int(COLUMNS))
        rows[:, :5], rows[:, 5:7] = when.weights, when.sigmas
        rows[:, 7], rows[:, 8] = 1 - 0.9**steps, (1 - 0.999**steps).sqrt()
        rows[:, 9:11], rows[:, 11:13], rows[:, 13] = when.low, when.per_unit, when.map_of
        rows[:, 14], rows[:, 15] = when.decay, when.relative_depth
        return rows.to(when.blurred.device), when.blurred.contiguous()
