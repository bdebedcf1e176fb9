"""The object stays at the depth it was placed at (Eq. 12 of SemAlign3D)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from semcorr_ros.methods.semalign3d.alignment.state import Evidence, State
from semcorr_ros.methods.semalign3d.alignment.terms import Term
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation

# The mean keypoint lies behind the visible surface, by about half the RMS radius of a solid object.
SURFACE_TO_CENTER = 0.5


def energy(state: State, evidence: Evidence, model: ClassRepresentation) -> Float[Tensor, "hypothesis"]:
    """Compute (d_target - mean_z(C_sparse))^2, in working units or in those of d_target."""
    target = state.surface_depth + SURFACE_TO_CENTER
    error = target - state.keypoints[:, model.annotated, 2].mean(-1)
    return (error / target if evidence.relative_depth else error) ** 2


PLUGIN = Term(energy)
