"""Who does the arithmetic: plain autograd anywhere, kernels compiled for the CPU, or one for the GPU.

All compute the same. "auto" takes the compiled kernels for a class on a GPU, too: there a step of
autograd is hundreds of launches, which takes longer than those kernels take (evidence, the
similarities, is still gathered on the GPU). "fused" is checked step by step in Triton's interpreter
and compiles for a GPU of compute capability 9.0, but has not yet been timed on one.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import logging
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.alignment import objective, reference
from semcorr_ros.alignment.initialize import Starts
from semcorr_ros.alignment.optimize import Config, Optimized, StepCallback
from semcorr_ros.alignment.plan import TERMS
from semcorr_ros.alignment.state import Evidence
from semcorr_ros.artifacts import ClassRepresentation

MISSING = "the package {0} is not installed (pip install {0})"
ENGINES = ("auto", "reference", "compiled", "fused")


class Engine(Protocol):
    """The two loops an alignment spends its time in."""

    def score(
        self, model: ClassRepresentation, seen: Evidence, starts: Starts, sigma: float, samples: int
    ) -> Float[Tensor, "start"]:
        """Dense reconstruction likelihood of the undeformed class at every start, from a few samples."""
        ...

    def optimize(
        self,
        model: ClassRepresentation,
        seen: Evidence,
        starts: Starts,
        configs: tuple[Config, objective.Config],
        generator: torch.Generator,
        on_step: StepCallback | None = None,
    ) -> Optimized:
        """Minimise the objective from every start.

        `on_step` is called every few steps, and where it returns False the search ends.
        """
        ...


def choose(name: str, terms: objective.Config) -> Engine:
    """The engine of that name; "auto" is the fastest that can do it.

    Raises ValueError for an unknown name, or saying why the compiled one cannot do it.
    """
    if name not in ENGINES:
        raise ValueError(f"unknown engine {name!r}; available: {', '.join(ENGINES)}")
    package = "triton" if name == "fused" else "numba"
    obstacle = _obstacle(package, terms)
    if name in ("compiled", "fused") and obstacle:
        raise ValueError(f"engine {name!r}: {obstacle}; use 'auto' or 'reference'")
    if name == "auto" and obstacle == MISSING.format("numba"):
        _say_once(f"{obstacle}: alignments take about eight times longer")
    if name == "reference" or obstacle:
        return reference
    chosen = "compiled" if name == "auto" else name
    # Only now, because importing numba takes half a second.
    engine: Engine = importlib.import_module(f"semcorr_ros.alignment.{chosen}")
    return engine


@functools.cache
def _say_once(text: str) -> None:
    logging.getLogger(__name__).warning(text)


def _obstacle(package: str, terms: objective.Config) -> str:
    """Why the engine that needs a package cannot be used; empty if it can."""
    if importlib.util.find_spec(package) is None:
        return MISSING.format(package)
    plans = {term: getattr(terms.schedules, objective.SCHEDULE_OF_TERM[term]) for term in terms.terms}
    weighted = {term for term, plan in plans.items() if any(value for _, value in plan)}
    unknown = sorted(weighted - set(TERMS))
    return f"it does not know the terms {', '.join(unknown)}" if unknown else ""
