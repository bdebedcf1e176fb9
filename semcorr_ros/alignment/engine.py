"""Who does the arithmetic: plain autograd anywhere, or compiled kernels on the CPU. Both compute the same.

For a class on a GPU, too, the kernels are the choice: a step of autograd is hundreds of launches there,
which takes longer than the kernels take; evidence (the similarities) is still gathered on the GPU.
"""

from __future__ import annotations

import functools
import importlib.util
import logging
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.alignment import objective, reference
from semcorr_ros.alignment.initialize import Starts
from semcorr_ros.alignment.optimize import Config, Optimized, StepCallback
from semcorr_ros.alignment.state import Evidence
from semcorr_ros.artifacts import ClassRepresentation

NO_NUMBA = "the package numba is not installed"
ENGINES = ("auto", "reference", "compiled")
COMPILED_TERMS = {"reconstruction", "reconstruction_sparse", "geometry", "background", "depth"}


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
    obstacle = _obstacle(terms)
    if name == "compiled" and obstacle:
        raise ValueError(f"engine 'compiled': {obstacle}; use 'auto' or 'reference'")
    if name == "auto" and obstacle == NO_NUMBA:
        _say_once(f"{obstacle}: alignments take about eight times longer; pip install numba")
    if name == "reference" or obstacle:
        return reference
    from semcorr_ros.alignment import compiled  # importing numba takes half a second

    return compiled


@functools.cache
def _say_once(text: str) -> None:
    logging.getLogger(__name__).warning(text)


def _obstacle(terms: objective.Config) -> str:
    """Why the compiled engine cannot be used; empty if it can."""
    if importlib.util.find_spec("numba") is None:
        return NO_NUMBA
    plans = {term: getattr(terms.schedules, objective.SCHEDULE_OF_TERM[term]) for term in terms.terms}
    weighted = {term for term, plan in plans.items() if any(value for _, value in plan)}
    unknown = sorted(weighted - COMPILED_TERMS)
    return f"it does not know the terms {', '.join(unknown)}" if unknown else ""
