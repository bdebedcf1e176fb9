"""The objective and its gradient as one Triton kernel, many steps per launch; an engine (engine.py)."""

from semcorr_ros.methods.semalign3d.alignment.fused.descent import optimize
from semcorr_ros.methods.semalign3d.alignment.reference import score

__all__ = ["optimize", "score"]
