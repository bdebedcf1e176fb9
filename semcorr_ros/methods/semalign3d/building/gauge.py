"""The canonical frame: x front, y left, z up, as far as symmetry, names and cameras tell.

y is the normal of the mirror plane. Up is where cameras, held level, agree that it is: perpendicular to
all their x axes and on the side of their -y axes. What is left open is the sign of y, which decides front
and back as well, because the frame stays right-handed: taken from keypoint names, else from the side
that the cameras prefer.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.artifacts import CategoryInfo

LEVEL = 0.03  # weight of "up is where the image's top is" against "up is perpendicular to level x axes"
LEFT, RIGHT = ("left",), ("right",)
FRONT, BACK = ("front", "nose", "head"), ("back", "rear", "tail")


@dataclass(frozen=True)
class Gauge:
    """Rotation to the canonical frame and what fixed its axes."""

    rotation: Float[Tensor, "3 3"]  # canonical = rotation @ old
    mirror_plane: bool
    front_from: str  # "names", "cameras" or "nothing"


def canonical_gauge(
    shape: Float[Tensor, "keypoint 3"],
    camera_from_shape: Float[Tensor, "view 3 3"],
    info: CategoryInfo,
    mirror: bool,
) -> Gauge:
    """Find the rotation that brings a centered shape into the canonical frame.

    `camera_from_shape` are the rotations of the original views; `mirror` tells that the flip table holds.
    """
    normal = _mirror_normal(shape, info.flip) if mirror and info.flip is not None else None
    up = _up_in_plane(shape, camera_from_shape, normal) if info.flat else _up(camera_from_shape, normal)
    y = normal if normal is not None else _widest_horizontal(shape, up)
    x = torch.linalg.cross(y, up)
    sign, front_from = _front(shape, x, y, info, camera_from_shape)
    rotation = torch.stack([sign * x, sign * y, up])
    return Gauge(rotation, normal is not None, front_from)


def _mirror_normal(shape: Tensor, flip: tuple[int, ...]) -> Tensor | None:
    across = shape - shape[torch.tensor(flip)]
    if across.norm() > 0.1:
        return torch.linalg.svd(across, full_matrices=False).Vh[0]
    # Every keypoint lies in the mirror plane.
    return torch.linalg.svd(shape, full_matrices=False).Vh[2]


def _up(camera_from_shape: Tensor, normal: Tensor | None) -> Tensor:
    right, top = camera_from_shape[:, 0], -camera_from_shape[:, 1].mean(0)
    tilt = right.T @ right / len(right) - LEVEL * torch.outer(top, top)
    basis = torch.eye(3) if normal is None else torch.linalg.svd(normal[None]).Vh[1:]
    up = torch.linalg.eigh(basis @ tilt @ basis.T).eigenvectors[:, 0] @ basis
    return up * (1.0 if up @ top >= 0 else -1.0)


def _up_in_plane(shape: Tensor, camera_from_shape: Tensor, normal: Tensor | None) -> Tensor:
    """Find up within the class's plane: seen from one side only, its tilt is unknown; assume it upright."""
    top = -camera_from_shape[:, 1].mean(0)
    through = torch.linalg.svd(shape, full_matrices=False).Vh[2]
    for fixed in (through, normal):
        if fixed is not None:
            top = top - (top @ fixed) * fixed
    return top / top.norm()


def _widest_horizontal(shape: Tensor, up: Tensor) -> Tensor:
    """Find the horizontal direction across the longest one: without symmetry, front is along the length."""
    flat = shape - (shape @ up)[:, None] * up
    longest = torch.linalg.svd(flat, full_matrices=False).Vh[0]
    y = torch.linalg.cross(up, longest)
    return y / y.norm()


def _front(
    shape: Tensor, x: Tensor, y: Tensor, info: CategoryInfo, camera_from_shape: Tensor
) -> tuple[float, str]:
    """Decide the sign of x and y, and say what decided it."""
    # From the object to the cameras, in the shape's frame.
    toward = -camera_from_shape[:, 2].mean(0) @ x
    votes = _side(shape @ y, info.keypoint_names, LEFT, RIGHT)
    if votes == 0:
        votes = _side(shape @ x, info.keypoint_names, FRONT, BACK)
    # A flat class is photographed from its front, whichever side its annotators called left.
    if votes != 0 and not info.flat:
        return (1.0 if votes > 0 else -1.0), "names"
    if abs(toward) > 1e-3:
        return (1.0 if toward > 0 else -1.0), "cameras"
    return 1.0, "nothing"


def _side(
    coordinate: Tensor, names: tuple[str, ...], positive: tuple[str, ...], negative: tuple[str, ...]
) -> float:
    """Subtract the mean coordinate of names with a negative word from that of names with a positive one."""
    first = [any(word in name.lower() for word in positive) for name in names]
    second = [any(word in name.lower() for word in negative) for name in names]
    if not any(first) or not any(second):
        return 0.0
    return float(coordinate[torch.tensor(first)].mean() - coordinate[torch.tensor(second)].mean())
