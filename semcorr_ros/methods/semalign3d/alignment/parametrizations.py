"""Two parametrizations of the hypotheses, as leaf tensors of the optimisation.

`ShapeSpace`: a similarity of the mean shape plus its learned modes plus a small free residual. Letting all
points of a hypothesis move together first, and deform the way training shapes did, reaches the right basin
from further away. `FreeKeypoints`: every keypoint moves freely, as in the paper.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.geometry import rotations
from semcorr_ros.methods.semalign3d.alignment.initialize import Starts
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation

# Learning rates relative to the pose's; a mode coefficient of 1 moves points by a fraction of the radius.
MODES_RATE = 4.0
RESIDUAL_RATE = 0.2


@dataclass(frozen=True)
class ShapeSpace:
    """Leaf tensors of the optimisation; rows are hypotheses."""

    quaternion: Float[Tensor, "hypothesis 4"]
    translation: Float[Tensor, "hypothesis 3"]
    log_scale: Float[Tensor, "hypothesis"]
    modes: Float[Tensor, "hypothesis mode"]  # standard deviations
    residual: Float[Tensor, "hypothesis keypoint 3"]  # canonical units

    @staticmethod
    def start(model: ClassRepresentation, starts: Starts) -> ShapeSpace:
        """Initialize the hypotheses with the class at the starts."""
        count, like = len(starts.focal), starts.translation
        quaternion = torch.stack([rotations.to_quaternion(r) for r in starts.rotation])
        modes, residual = starts.modes, starts.residual
        return ShapeSpace(
            quaternion,
            starts.translation.clone(),
            like.new_zeros(count),
            like.new_zeros(count, len(model.shape_modes)) if modes is None else modes.clone(),
            like.new_zeros(count, *model.sparse.shape) if residual is None else residual.clone(),
        )

    def keypoints(self, model: ClassRepresentation) -> Float[Tensor, "hypothesis keypoint 3"]:
        """Compute keypoints in the camera frame, working units."""
        shape = model.sparse + torch.einsum("bm,mld->bld", self.modes, model.shape_modes) + self.residual
        scaled = self.log_scale.exp()[:, None, None] * shape
        return scaled @ rotations.from_quaternion(self.quaternion).mT + self.translation[:, None]

    def parameters(self, lr: float) -> list[dict[str, object]]:
        """List parameter groups with their learning rates."""
        pose = [self.quaternion, self.translation, self.log_scale]
        return [
            {"params": pose, "lr": lr},
            {"params": [self.modes], "lr": MODES_RATE * lr},
            {"params": [self.residual], "lr": RESIDUAL_RATE * lr},
        ]


@dataclass(frozen=True)
class FreeKeypoints:
    """Leaf tensors of the optimisation; rows are hypotheses."""

    positions: Float[Tensor, "hypothesis keypoint 3"]  # camera frame, working units

    @staticmethod
    def start(model: ClassRepresentation, starts: Starts) -> FreeKeypoints:
        """Initialize the hypotheses with the class at the starts."""
        return FreeKeypoints(starts.shape(model) @ starts.rotation.mT + starts.translation[:, None])

    def keypoints(self, model: ClassRepresentation) -> Float[Tensor, "hypothesis keypoint 3"]:
        """Compute keypoints in the camera frame, working units."""
        return self.positions

    def parameters(self, lr: float) -> list[dict[str, object]]:
        """Return one group: every coordinate moves at the same rate."""
        return [{"params": [self.positions], "lr": lr}]
