"""Gradient descent on all hypotheses in parallel, dropping the hopeless ones on the way.

Here: what its engines (engine.py) share - settings, result, and who survives a cut.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semcorr_ros.geometry.similarity import fit_similarity
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation


@dataclass(frozen=True)
class OptimizeConfig:
    """Optimiser constants (Table 5); steps other than 1000 rescale the schedules."""

    parametrization: str = "shape_space"
    lr: float = 0.02
    # AdamW's, per unit of learning rate. It pulls the object into the camera, so ours is without.
    weight_decay: float = 0.0
    steps: int = 250
    batch: int = 256  # image points per step and kind
    survivors: tuple[tuple[float, int], ...] = ((100, 8), (300, 4), (600, 2))  # (step of 1000, kept)
    separation_deg: float = 40.0  # survivors closer than this are one: the better one goes on
    begin: float = 0.0  # where in the 1000-step schedule the first step is


@dataclass(frozen=True)
class Optimized:
    """Hypotheses after optimisation, in working units."""

    keypoints: Float[Tensor, "hypothesis keypoint 3"]
    focal: Float[Tensor, "hypothesis"]
    surface_depth: Float[Tensor, "hypothesis"]


# (steps done, steps, best energy) -> go on?
StepCallback = Callable[[int, int, float], bool]


def scheduled_at(config: OptimizeConfig, step: int) -> float:
    """Map a step (from 0) to the 1000-step schedule."""
    return config.begin + step * (1000.0 - config.begin) / config.steps


def kept_at(config: OptimizeConfig, step: int, count: int) -> int:
    """Count the hypotheses, of `count`, that are left after a step (from 0)."""
    scheduled = scheduled_at(config, step)
    return min([kept for knot, kept in config.survivors if scheduled >= knot] + [count])


def draws(pool: int, batch: int, steps: int, generator: torch.Generator) -> Int[Tensor, "step 2 batch"]:
    """Draw which of `pool` image points each step evaluates: for the dense cloud, for the keypoints."""
    return torch.stack([torch.randint(pool, (2, batch), generator=generator) for _ in range(steps)])


def steps_until_cut(config: OptimizeConfig, done: int, count: int, most: int) -> int:
    """Count the steps, at most `most`, before some of `count` hypotheses are dropped or the search ends."""
    most = min(most, config.steps - done)
    for ahead in range(1, most):
        if kept_at(config, done + ahead - 1, count) < count:
            return ahead
    return most


@torch.no_grad()
def survivors(
    model: ClassRepresentation,
    keypoints: Float[Tensor, "hypothesis keypoint 3"],
    total: Float[Tensor, "hypothesis"],
    count: int,
    separation_deg: float,
) -> Tensor:
    """Choose the rows of the `count` hypotheses that go on: low energy, poses that differ."""
    canonical = model.sparse[model.annotated].expand(len(keypoints), -1, -1)
    _, rotation, _ = fit_similarity(canonical, keypoints[:, model.annotated])
    kept = best_distinct(rotation, total, count, separation_deg)
    return torch.tensor(kept, device=total.device)


def best_distinct(
    rotations: Float[Tensor, "hypothesis 3 3"],
    energy: Float[Tensor, "hypothesis"],
    count: int,
    angle_deg: float,
) -> list[int]:
    """Order hypotheses by rising energy; those within `angle_deg` of a better one only fill up to `count`."""
    cosine = (torch.einsum("aij,bij->ab", rotations, rotations) - 1) / 2
    close = cosine > math.cos(math.radians(angle_deg))
    order = energy.argsort().tolist()
    chosen: list[int] = []
    for index in order:
        if len(chosen) < count and not close[index, chosen].any():
            chosen.append(index)
    rest = [index for index in order if index not in chosen]
    return chosen + rest[: count - len(chosen)]
