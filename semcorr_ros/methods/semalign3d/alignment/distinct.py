"""Keep hypotheses that differ: near copies of the best one say nothing about what else it could be."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor


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
