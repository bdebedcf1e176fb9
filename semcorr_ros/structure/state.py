"""What is known of the pictures, and what is looked for: every number of a lift."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True)
class Sightings:
    """Annotated keypoints of one class in all its pictures.

    Points are relative to the principal point, in units of the object's radius in that picture, so that a
    residual of 0.05 means the same everywhere. All in float64.
    """

    points: Float[Tensor, "view keypoint 2"]  # 0 where not visible
    visible: Bool[Tensor, "view keypoint"]
    radius: Float[Tensor, "view"]  # of the object in that picture, pixels
    focal: Float[Tensor, "view"]  # pixels, as known or as believed
    known: Bool[Tensor, "view"]  # the focal length is that of a known camera

    @property
    def bend(self) -> Float[Tensor, "view"]:
        """Compute the strength of perspective: the object's radius over the focal length."""
        return self.radius / self.focal


@dataclass(frozen=True)
class State:
    """Several candidates at once. A point p of the rotated shape is seen at

    (scale * p_xy + center) / (1 + bend * exp(-focal_log) * scale * p_z),

    which is a perspective camera for bend > 0 and a scaled orthographic one for 0.
    """

    rotation: Float[Tensor, "candidate view 3 3"]  # camera_from_shape
    center: Float[Tensor, "candidate view 2"]  # where the shape's origin is seen
    scale_log: Float[Tensor, "candidate view"]
    focal_log: Float[Tensor, "candidate view"]  # logarithm of the focal length over the believed one
    weights: Float[Tensor, "candidate view mode"]  # of the modes, standard deviations
    shape: Float[Tensor, "candidate mode+1 free"]  # mean, then modes, in the coordinates of `basis`

    def pick(self, rows: Tensor) -> State:
        """Take the given candidates only."""
        return State(*(getattr(self, field.name)[rows] for field in fields(self)))


def choose(better: Bool[Tensor, "candidate"], new: State, old: State) -> State:
    """Choose, candidate by candidate, `new` where it is better."""
    picked = []
    for field in fields(State):
        first, second = getattr(new, field.name), getattr(old, field.name)
        picked.append(torch.where(better.view(-1, *[1] * (first.dim() - 1)), first, second))
    return State(*picked)


def concatenate(*states: State) -> State:
    """Concatenate the candidates of all."""
    return State(*(torch.cat([getattr(s, field.name) for s in states]) for field in fields(State)))


def symmetric_basis(count: int, flip: tuple[int, ...] | None) -> Float[Tensor, "keypoint 3 free"]:
    """Build free coordinates of a shape that is its own mirror image about y = 0 once ids are exchanged.

    A pair is (x, y, z) and (x, -y, z), a keypoint that is its own partner lies in the plane.
    """
    columns = []
    for k in range(count):
        partner = k if flip is None else flip[k]
        if partner < k:
            continue
        for axis in range(3):
            column = torch.zeros(count, 3, dtype=torch.float64)
            column[k, axis] = 1
            if flip is not None and axis == 1:
                if partner == k:
                    continue
                column[partner, axis] = -1
            else:
                column[partner, axis] = 1
            columns.append(column)
    return torch.stack(columns, -1)
