"""The objective and its gradient written out for the CPU and compiled by numba; an engine (engine.py)."""

from semcorr_ros.alignment.compiled.descent import optimize
from semcorr_ros.alignment.compiled.scoring import score

__all__ = ["optimize", "score"]
