"""Energy terms, one per file, found by name.

A file says `PLUGIN = Term(energy)`, with `energy(state, evidence, model) -> Float[Tensor, "hypothesis"]`:
unweighted, lower is better, no reduction over hypotheses. The objective owns weights and schedules.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from semcorr_ros.methods.semalign3d.alignment.state import Evidence, State
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation
from semcorr_ros.registry import Registry


@dataclass(frozen=True)
class Term:
    """What a file of this folder calls PLUGIN."""

    energy: Callable[[State, Evidence, ClassRepresentation], Tensor]  # per hypothesis


TERMS = Registry(__name__, Term)
