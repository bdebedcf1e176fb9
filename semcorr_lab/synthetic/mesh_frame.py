"""Axes and unit of mesh files. Ours: x front, y left, z up, metres; glTF prescribes z front, y up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from semcorr_lab.synthetic.categories import mirrored_name

AUTO = "auto"
OURS, GLTF, BLENDER = "x-front-z-up", "z-front-y-up", "x-front-y-up"
# Rows: our axes in the file's.
AXES = {
    OURS: ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    GLTF: ((0, 0, 1), (1, 0, 0), (0, 1, 0)),
    BLENDER: ((1, 0, 0), (0, 0, -1), (0, 1, 0)),  # how Blender's glTF export turns an object in our axes
}
BY_SIDE = (GLTF, OURS, BLENDER)  # by the axis along which left and right differ
UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001, "in": 0.0254}
LARGEST = 20.0  # metres; anything larger is in millimetres
SMALLEST = 0.01  # metres; whether anything smaller is meant is asked
SAME = 10.0  # a mesh is at most so much larger than its keypoints' extent, and not smaller than half of it

Points = Mapping[str, Float[np.ndarray, "3"]]


@dataclass(frozen=True)
class MeshFrame:
    """How a file's numbers become ours."""

    axes: str = OURS
    metres: float = 1.0  # per unit of the mesh
    keypoint_metres: float = 1.0  # per unit of its keypoints, where they are listed in another one

    def points(self, listed: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3"]:
        """Convert keypoints."""
        return listed @ np.array(AXES[self.axes], float).T * self.keypoint_metres

    def vertices(self, given: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        """Convert vertices."""
        return given @ np.array(AXES[self.axes], float).T * self.metres


def frame_of(points: Points, extent: float, axes: str, unit: str) -> tuple[MeshFrame, str]:
    """Take the given axes and unit, or guess them; also say in words what was guessed, or "".

    extent: diagonal of the mesh, in its unit. Raises ValueError for a mesh that its keypoints cannot be of.
    """
    guessed = []
    if axes == AUTO:
        axes = _axes_by_sides(points)
        guessed += [f"axes {axes} (left and right say so)"] if axes != OURS else []
    size = _extent(points)
    metres = UNITS.get(unit, 0.001 if extent > LARGEST else 1.0)
    of_keypoints = metres
    if not 0.5 <= extent / size <= SAME:
        # The list may be in metres beside a mesh in millimetres.
        of_keypoints = next((one for one in (1.0, 0.001) if 0.5 <= extent * metres / size / one <= SAME), 0.0)
        if not of_keypoints:
            raise ValueError(f"the mesh is {extent:.4g} large but its keypoints span {size:.4g}")
        guessed.append(f"keypoints in {_name(of_keypoints)}")
    if unit == AUTO and metres != 1.0:
        guessed.append(f"unit {_name(metres)} (it is {extent:.4g} large)")
    if unit == AUTO and metres == 1.0 and extent < SMALLEST:
        guessed.append(f"unit m (it is {extent:.4g} large)")
    told = f"guessed: {', '.join(guessed)}; --mesh-axes and --mesh-unit say otherwise" if guessed else ""
    return MeshFrame(axes, metres, of_keypoints), told


def _axes_by_sides(points: Points) -> str:
    apart = np.zeros(3)
    for name, xyz in points.items():
        other = mirrored_name(name)
        if other in points and other != name:
            apart += np.abs(xyz - points[other])
    return BY_SIDE[int(apart.argmax())] if apart.any() else OURS


def _extent(points: Points) -> float:
    listed = np.array(list(points.values())).reshape(-1, 3)
    return max(float(np.linalg.norm(np.ptp(listed, axis=0))), 1e-9) if len(listed) else 1e-9


def _name(metres: float) -> str:
    return next(name for name, value in UNITS.items() if value == metres)
