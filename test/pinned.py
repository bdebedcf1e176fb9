"""Numbers that a computation gave when its results were found right: a change of them has to be meant.

For arithmetic whose answers other tests hold only roughly: robust weights, thresholds, schedules. They lie in
pinned/<name>.json, as a few sums of each tensor. After a change that is meant: RENEW_PINS=1 python -m pytest
TEST, and say in the commit why.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

FOLDER = Path(__file__).with_suffix("")


def check(name: str, found: Mapping[str, Tensor | float | list[int]], rel: float = 1e-3) -> None:
    """Compare sums of each tensor with those stored, relative to its root mean square."""
    path = FOLDER / f"{name}.json"
    sums = {key: _sums(value) for key, value in found.items()}
    if os.environ.get("RENEW_PINS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(sums, indent=1) + "\n")
    stored = json.loads(path.read_text())
    assert sorted(stored) == sorted(sums)
    for key, expected in stored.items():
        assert sums[key] == pytest.approx(expected, rel=rel, abs=rel * max(1e-6, abs(expected[1]))), key


def _sums(value: Tensor | float | list[int]) -> list[float]:
    """Count, root mean square, mean, and two means whose weights tell the elements apart."""
    values = torch.as_tensor(value).detach().double().flatten()
    values = values[torch.isfinite(values)]
    if not len(values):
        return [0.0] * 5
    at = torch.arange(len(values), dtype=torch.float64)
    weighted = ((values * (0.7 * at + phase).cos()).mean() for phase in (0.3, 1.9))
    return [float(len(values)), *map(float, (values.square().mean().sqrt(), values.mean(), *weighted))]
