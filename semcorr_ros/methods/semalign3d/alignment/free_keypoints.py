"""Hypotheses as freely moving keypoints in the camera frame: the paper's parametrization."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from semcorr_ros.methods.semalign3d.alignment.initialize import Starts
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation


@dataclass(frozen=True)
class FreeKeypoints:
    """Leaf tensors of the optimisation; rows are hypotheses."""

    positions: Float[Tensor, "hypothesis keypoint 3"]  # camera frame, working units

    @staticmethod
    def start(model: ClassRepresentation, starts: Starts) -> FreeKeypoints:
        """Begin with the class at the starts."""
        return FreeKeypoints(starts.shape(model) @ starts.rotation.mT + starts.translation[:, None])

    def keypoints(self, model: ClassRepresentation) -> Float[Tensor, "hypothesis keypoint 3"]:
        """Compute keypoints in the camera frame, working units."""
        return self.positions

    def parameters(self, lr: float) -> list[dict[str, object]]:
        """Return one group: every coordinate moves at the same rate."""
        return [{"params": [self.positions], "lr": lr}]
