"""The objective and its gradient written out in C++ for the CPU; an engine (engine.py)."""

from semcorr_ros.methods.semalign3d.alignment.compiled.descent import optimize
from semcorr_ros.methods.semalign3d.alignment.compiled.scoring import score

__all__ = ["optimize", "score"]
