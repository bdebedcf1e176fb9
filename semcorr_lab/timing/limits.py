"""What limits a stage - bytes, arithmetic, starting operations - and how far from that limit it is.

Stages that run through torch are counted while they run. The compiled alignment is counted on paper, from
the sizes of its loops; a constant is the arithmetic in the innermost line of its kernel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from semcorr_lab.timing.machine import Machine
from semcorr_ros.methods.semalign3d.alignment import AlignmentConfig
from semcorr_ros.methods.semalign3d.alignment.optimize import kept_at
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation

PAIR = 12  # an image point against a class point: three differences, their weighted squares, a minimum
MEASURE = 90  # of a Beta: the measure, two logarithms as polynomials, and their gradient
POINT = 60  # a class point: projected, looked up in the background, and back
UPRIGHT = 48  # viewpoints all round an upright object, among the starts that are scored


@dataclass(frozen=True)
class Work:
    """What a stage cannot do without."""

    flops: float
    bytes: float  # read and written, as if nothing were kept in registers between operations
    launches: float  # operations started one by one
    working_set: float  # bytes that are used again and again

    def limits(self, machine: Machine) -> dict[str, float]:
        """Compute milliseconds by resource, at the machine's best."""
        return {
            "bytes": 1e3 * self.bytes / machine.bytes_per_s(self.working_set),
            "arithmetic": 1e3 * self.flops / machine.flops_per_s,
            "launches": 1e3 * self.launches * machine.launch_s,
        }


def verdict(work: Work, machine: Machine, median_ms: float) -> dict[str, Any]:
    """Compare a stage with its limits, JSON-ready.

    Milliseconds by resource, which of them is the limit, and how many times longer the stage takes.
    """
    by_resource = work.limits(machine)
    limit = max(by_resource, key=lambda name: by_resource[name])
    return {"limit": limit, "ms": by_resource, "times": median_ms / by_resource[limit]}


class _Counter(TorchDispatchMode):
    """Operations and the bytes of their tensors; views cost nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.launches = 0
        self.bytes = 0.0
        self.largest = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if not func.is_view:
            touched = sum(t.numel() * t.element_size() for t in _tensors((args, out)))
            self.launches += 1
            self.bytes += touched
            self.largest = max(self.largest, touched)
        return out


def counted(work: Callable[[], object], times: float = 1.0) -> Work:
    """Count by running `work`, which is one `times`-th of the stage. Arithmetic: matrix products alone."""
    with FlopCounterMode(display=False) as arithmetic, _Counter() as counter:
        work()
    flops = float(arithmetic.get_total_flops())
    return Work(times * flops, times * counter.bytes, times * counter.launches, counter.largest)


def of_alignment(model: ClassRepresentation, config: AlignmentConfig, starts: int, focals: int) -> Work:
    """Count the work of the compiled engine from the sizes of its loops. focals: how many are tried."""
    points, keypoints = len(model.dense.weight), len(model.sparse)
    optimize, pool = config.optimize, config.evidence.samples
    alive, steps, left = 0, 0, starts
    for step in range(optimize.steps):
        alive += left
        steps += 1
        left = kept_at(optimize, step, left)
    families = (model.statistics.edge_pairs, model.statistics.frames)
    measures = sum(family.alpha.numel() for family in families)
    per_step = (
        PAIR * optimize.batch * (points + keypoints)
        + MEASURE * measures
        + (POINT + 12 * keypoints) * (points + keypoints)
    )
    candidates = len(model.view_rotations) + UPRIGHT + config.initialize.spread_rotations
    scored = config.initialize.scored * focals * candidates * config.initialize.samples
    similarities = 4 * (points + keypoints)
    channels = model.dense.prototypes.features.shape[-1]
    drawn = config.evidence.candidates  # pixels compared with every prototype
    return Work(
        flops=alive * per_step + scored * points * PAIR + 2 * drawn * channels * (points + keypoints),
        # A row of similarities is read once for all hypotheses of a thread; Betas once for each.
        bytes=steps * optimize.batch * similarities + alive * 8 * measures + 3 * drawn * similarities,
        launches=math.ceil(steps / 5),
        working_set=pool * similarities,
    )


def of_message(size: float) -> Work:
    """Count the work of a request that is written out, carried over and read in.

    Three copies of `size` bytes.
    """
    return Work(flops=0.0, bytes=6 * size, launches=0.0, working_set=2 * size)


def _tensors(tree: Any) -> Iterator[Tensor]:
    if isinstance(tree, Tensor):
        yield tree
    elif isinstance(tree, (list, tuple)):
        for part in tree:
            yield from _tensors(part)
