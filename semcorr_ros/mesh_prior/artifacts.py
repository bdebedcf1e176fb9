"""What the stages hand on: one frozen dataclass. `V` vertices, `F` faces."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semcorr_ros.artifacts import Camera


@dataclass(frozen=True)
class PosedMesh:
    """The mesh of the object in one image, and where it is before that image's camera.

    Object frame: right-handed, z up; x front and y left once its yaw is canonical, before that up to a
    quarter turn about z. The middle of the mesh's box is the origin and the diagonal of its box is 1, so that
    lengths on different meshes compare. Camera frame: optical (x right, y down, z forward), in depth units.
    `x_camera = exp(log_scale) * rotation @ x_object + translation`.
    """

    name: str  # AnnotatedImage.name, unique within the category
    category: str
    vertices: Float[Tensor, "V 3"]  # float32, object frame
    faces: Int[Tensor, "F 3"]  # int64 rows of vertices, counter-clockwise seen from outside
    rotation: Float[Tensor, "3 3"]  # camera_from_object, proper
    translation: Float[Tensor, "3"]  # of the object's origin, depth units
    log_scale: float  # log of depth units per object unit
    camera: Camera  # pixels of the whole image
    metric: bool = False  # True: depth units are metres
    measures: dict[str, float] = field(default_factory=dict)  # what stages found, such as iou_before
    provenance: dict[str, str] = field(default_factory=dict)  # provider, and what it was made from

    @property
    def scale(self) -> float:
        """Depth units per object unit."""
        return float(torch.tensor(self.log_scale, dtype=torch.float64).exp())

    def in_camera(self) -> Float[Tensor, "V 3"]:
        """Return the vertices in the camera frame, depth units."""
        return self.scale * self.vertices @ self.rotation.mT + self.translation

    def turned(self, rotation: Float[Tensor, "3 3"]) -> PosedMesh:
        """Return the same surface before the camera, in an object frame turned by `rotation` about its
        origin: vertices become `rotation @ vertex`."""
        return replace(self, vertices=self.vertices @ rotation.mT, rotation=self.rotation @ rotation.mT)
