"""Choose who does the arithmetic: plain autograd anywhere, kernels compiled for the CPU, or one for the GPU.

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
from typing import NoReturn, Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.methods.semalign3d.alignment import compiled, objective, reference
from semcorr_ros.methods.semalign3d.alignment.compiled import library
from semcorr_ros.methods.semalign3d.alignment.initialize import Starts
from semcorr_ros.methods.semalign3d.alignment.objective import ObjectiveConfig
from semcorr_ros.methods.semalign3d.alignment.optimize import OptimizeConfig, Optimized, StepCallback
from semcorr_ros.methods.semalign3d.alignment.plan import TERMS
from semcorr_ros.methods.semalign3d.alignment.state import Evidence
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation

ENGINES = ("auto", "reference", "compiled", "fused")


class Engine(Protocol):
    """The two loops an alignment spends its time in."""

    def score(
        self, model: ClassRepresentation, evidence: Evidence, starts: Starts, sigma: float, samples: int
    ) -> Float[Tensor, "start"]:
        """Compute the dense reconstruction likelihood of the undeformed class at the starts, few samples."""
        ...

    def optimize(
        self,
        model: ClassRepresentation,
        evidence: Evidence,
        starts: Starts,
        configs: tuple[OptimizeConfig, ObjectiveConfig],
        generator: torch.Generator,
        on_step: StepCallback | None = None,
    ) -> Optimized:
        """Minimise the objective from every start.

        `on_step` is called every few steps, and where it returns False the search ends.
        """
        ...


def choose(name: str, terms: ObjectiveConfig) -> Engine:
    """Choose the engine of that name; "auto" is the fastest that can compute these terms.

    Compiles the kernels on first use, which takes seconds. Raises ValueError for an unknown name, or saying
    why the engine cannot be used.
    """
    if name not in ENGINES:
        raise ValueError(f"unknown engine {name!r}; available: {', '.join(ENGINES)}")
    if name == "reference":
        return reference
    unknown = _without_kernel(terms)
    if name == "auto":
        return reference if unknown else _compiled() or reference
    if unknown:
        _refuse(name, f"it does not know the terms {unknown}")
    if name == "compiled":
        return _compiled() or _refuse(name, _failure())
    if importlib.util.find_spec("triton") is None:
        _refuse(name, "the package triton is not installed (pip install triton)")
    engine: Engine = importlib.import_module("semcorr_ros.methods.semalign3d.alignment.fused")
    return engine


def _compiled() -> Engine | None:
    """Return the compiled engine, or None after one warning if its kernels are unavailable."""
    failure = _failure()
    if failure:
        _say_once(f"{failure}: alignments take over ten times longer")
        return None
    engine: Engine = compiled
    return engine


def _failure() -> str:
    """Return why the kernels are unavailable; empty if they are available."""
    try:
        library.load()
    except library.Unavailable as error:
        return str(error)
    return ""


@functools.cache
def _say_once(text: str) -> None:
    logging.getLogger(__name__).warning(text)


def _refuse(name: str, why: str) -> NoReturn:
    raise ValueError(f"engine {name!r}: {why}; use 'auto' or 'reference'")


def _without_kernel(terms: ObjectiveConfig) -> str:
    """List the weighted terms that only the reference engine knows, separated by commas."""
    plans = {term: getattr(terms.schedules, objective.SCHEDULE_OF_TERM[term]) for term in terms.terms}
    weighted = {term for term, plan in plans.items() if any(value for _, value in plan)}
    return ", ".join(sorted(weighted - set(TERMS)))
