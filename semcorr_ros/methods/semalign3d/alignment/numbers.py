"""Pack the numbers of a hypothesis into one row, for the engines that have no autograd.

For the shape space quaternion (x, y, z, w), translation, log scale, mode coefficients, residual (L, 3),
log focal length; for free keypoints their positions (L, 3) and the log focal length.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.methods.semalign3d.alignment import parametrizations
from semcorr_ros.methods.semalign3d.alignment.initialize import Starts
from semcorr_ros.methods.semalign3d.alignment.optimize import OptimizeConfig
from semcorr_ros.methods.semalign3d.alignment.parametrizations import FreeKeypoints
from semcorr_ros.methods.semalign3d.alignment.state import Evidence
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation


def pack(model: ClassRepresentation, starts: Starts, config: OptimizeConfig) -> Float[Tensor, "start number"]:
    """Pack every start into a row."""
    if config.parametrization == "free_keypoints":
        leaves = [FreeKeypoints.start(model, starts).positions]
    else:
        begun = parametrizations.ShapeSpace.start(model, starts)
        leaves = [begun.quaternion, begun.translation, begun.log_scale, begun.modes, begun.residual]
    rows = [row.reshape(len(starts.focal), -1) for row in (*leaves, starts.focal.log())]
    return torch.cat(rows, 1).to(torch.float32).contiguous()


def rates(model: ClassRepresentation, evidence: Evidence, config: OptimizeConfig) -> Float[Tensor, "number"]:
    """Return the learning rate of every number; 0 for a focal length that is known."""
    residual = 3 * len(model.sparse)
    focal = [0.0 if evidence.focal is not None else 1.0]
    if config.parametrization == "free_keypoints":
        relative = [1.0] * residual + focal
    else:
        modes = [parametrizations.MODES_RATE] * len(model.shape_modes)
        relative = [1.0] * 8 + modes + [parametrizations.RESIDUAL_RATE] * residual + focal
    return config.lr * torch.tensor(relative, device=model.sparse.device)
