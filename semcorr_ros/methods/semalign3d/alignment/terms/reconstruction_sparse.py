"""Image points that look like a keypoint should be explained by a keypoint (Eq. 9, sparse part)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from semcorr_ros.methods.semalign3d.alignment.state import Evidence, State, project_with_relief
from semcorr_ros.methods.semalign3d.alignment.terms import Term
from semcorr_ros.methods.semalign3d.alignment.terms.reconstruction import likelihood
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation


def energy(state: State, evidence: Evidence, model: ClassRepresentation) -> Float[Tensor, "hypothesis"]:
    """Compute -E_xy[max_i p_spatial(xy, i) p_sem(xy, i)] over the keypoints."""
    placed = project_with_relief(state.keypoints, state)
    return -likelihood(
        placed, state.log_visible_sparse, state.sparse_samples, state.focal, state.sigma_sparse
    ).mean(-1)


PLUGIN = Term(energy)
