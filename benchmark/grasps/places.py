"""Places on rendered mugs where a gripper may hold them: the same on every mug, known from its mesh alone.

All mugs have meshes of one topology, so a ring of the handle or of the rim is the same ring on each.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from semcorr_lab.synthetic.instance import Instance

CORNERS = 12  # of a section of the handle
SEGMENTS = 48  # of a ring of the body
HANDLE = {"handle": 11, "handle_top": 16, "handle_low": 5}  # name -> section, from below
BODY = {
    "rim_left": (11, 12),
    "rim_right": (11, 36),
    "side_left": (6, 12),
    "side_front": (6, 0),
}  # ring, segment


def grasps(mug: Instance) -> dict[str, Float[np.ndarray, "4 4"]]:
    """Return poses of a gripper, object frame, metres: x along the handle or up, z away from the surface."""
    parts = {part.name: np.asarray(part.mesh.vertices) for part in mug.parts}
    found = {name: _around_handle(parts["handle"], section) for name, section in HANDLE.items()}
    return found | {name: _on_body(parts["body"], *place) for name, place in BODY.items()}


def _around_handle(vertices: Float[np.ndarray, "vertex 3"], section: int) -> Float[np.ndarray, "4 4"]:
    sections = vertices[: len(vertices) // CORNERS * CORNERS].reshape(-1, CORNERS, 3)
    centers = sections.mean(1)
    return _pose(
        centers[section], centers[section + 1] - centers[section - 1], sections[section, 0] - centers[section]
    )


def _on_body(vertices: Float[np.ndarray, "vertex 3"], ring: int, segment: int) -> Float[np.ndarray, "4 4"]:
    rings = vertices[: len(vertices) // SEGMENTS * SEGMENTS].reshape(-1, SEGMENTS, 3)
    # No vertex lies on an axis: two lie beside it.
    line = rings[:, [segment - 1, segment]].mean(1)
    return _pose(line[ring], line[ring] - line[ring - 1], line[ring] - rings[ring].mean(0))


def _pose(
    at: Float[np.ndarray, "3"], along: Float[np.ndarray, "3"], away: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "4 4"]:
    x = along / np.linalg.norm(along)
    z = away - x * (away @ x)
    z /= np.linalg.norm(z)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([x, np.cross(z, x), z], 1)
    pose[:3, 3] = at
    return pose
