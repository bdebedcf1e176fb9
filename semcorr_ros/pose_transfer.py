"""Poses of a gripper from one object to another of its class, by the class aligned to both.

A pose goes with the class's surface at the place: where that moves, turns and stretches from the one object
to the other, so does the pose. Carrying it rigidly with the class's pose, the usual way, misses a handle that
is longer or lower by that much.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.answer import Answer
from semcorr_ros.artifacts import Pose
from semcorr_ros.geometry import deformation, taken
from semcorr_ros.methods import Placed
from semcorr_ros.refusal import Code, Refusal

LOCAL = 0.10  # deviation of the class's surface from the object's, as a share of the object's scale
FARTHEST = 3.0  # radii of the object from its nearest point, beyond which a pose has nothing to do with it


@dataclass(frozen=True)
class Poses:
    """Rigid poses in the optical frame of a camera."""

    position: Float[Tensor, "pose 3"]  # metres
    rotation: Float[Tensor, "pose 3 3"]

    def __len__(self) -> int:
        return len(self.position)


@dataclass(frozen=True)
class CarriedPoses:
    """Poses on the target, in its camera's optical frame; NaN where a reason says why there is none."""

    names: tuple[str, ...]
    poses: Poses
    covariance: Float[Tensor, "pose 6 6"]  # of x y z in square metres and rotations about the camera's axes
    stretch: Float[Tensor, "pose"]  # of the surface there, target over source
    score: float  # [0, 1]
    reasons: tuple[str, ...]  # one per pose; empty: it is known


def carry(source: Answer, poses: Poses, names: Sequence[str], target: Answer) -> CarriedPoses:
    """Carry poses of a gripper at the source's object over to the target's.

    Raises Refusal NOT_FOUND, LOW_SCORE where one of the objects was refused, NO_DEPTH without metres.
    """
    one, other = _placed(source, "source picture: "), _placed(target, "")
    before, after = (_surface(placed) for placed in (one, other))
    at = Poses(poses.position.to(before), poses.rotation.to(before))
    found = deformation.follow(at.position, before, after)
    there = Poses(found.translation, found.rotation @ at.rotation)
    reasons = _reasons(at, before, one.caveat or other.caveat)
    wrong = torch.tensor([bool(reason) for reason in reasons], device=before.device)
    unknown = Poses(_without(there.position, wrong), _without(there.rotation, wrong))
    covariance = _covariance(source, target, at, there, found)
    score = min(source.confidence, target.confidence)
    return CarriedPoses(
        tuple(names), unknown, _without(covariance, wrong), _without(found.stretch, wrong), score, reasons
    )


def _placed(answer: Answer, whose: str) -> Placed:
    """Return where the class is. Raises Refusal where it is not, or without metres."""
    if answer.refusal is not None:
        raise Refusal(answer.refusal.code, whose + answer.refusal.message)
    placed = answer.placed
    if placed is None or placed.shape is None or placed.pose is None:
        raise Refusal(
            Code.BAD_REQUEST, f"{whose}class {answer.info.name!r} has no shape that poses could go with"
        )
    if not placed.pose.metric:
        raise Refusal(Code.NO_DEPTH, f"{whose}a pose is in metres, and no depth was measured on the object")
    return placed


def _pose(placed: Placed) -> Pose:
    """Return the class's pose in the camera frame as the picture was taken."""
    assert placed.pose is not None
    return taken.pose_taken(placed.pose, placed.seen)


def _surface(placed: Placed) -> Float[Tensor, "point 3"]:
    """Return the class's points in the camera frame as the picture was taken, not as it is looked at."""
    shape = placed.shape
    assert shape is not None
    known = torch.tensor(shape.known, device=shape.keypoints.device)
    points = torch.cat([shape.surface, shape.keypoints[known]])
    return points @ taken.rotation(-placed.seen.rotate % 360).to(points).T


def _reasons(at: Poses, before: Float[Tensor, "point 3"], caveat: str) -> tuple[str, ...]:
    radius = (before - before.mean(0)).square().sum(-1).mean().sqrt()
    gap = torch.cdist(at.position, before).amin(-1)
    return tuple(
        caveat if near else f"taught {float(metres):.2f} m away from the object: it does not go with it"
        for near, metres in zip((gap < FARTHEST * radius).tolist(), gap, strict=True)
    )


def _covariance(
    source: Answer, target: Answer, at: Poses, there: Poses, found: deformation.LocalFrames
) -> Float[Tensor, "pose 6 6"]:
    """Add what is not known of both placements, and how far the class's surface is from the objects'."""
    eye = torch.eye(6, dtype=at.position.dtype, device=at.position.device)
    turn = torch.zeros(len(at), 6, 6, dtype=eye.dtype, device=eye.device)
    turn[:, :3, :3] = found.stretch[:, None, None] * found.rotation
    turn[:, 3:, 3:] = found.rotation
    total = turn @ _at(source, at.position) @ turn.mT + _at(target, there.position)
    assert target.placed is not None
    assert target.placed.pose is not None
    local = (LOCAL * target.placed.pose.scale) ** 2 * eye
    local[3:, 3:] = LOCAL**2 * eye[3:, 3:]
    return total + local


def _at(answer: Answer, places: Float[Tensor, "pose 3"]) -> Float[Tensor, "pose 6 6"]:
    """Move the covariance of an object's pose to places that are fixed to it."""
    assert answer.placed is not None
    pose = _pose(answer.placed)
    covariance = torch.zeros(6, 6) if pose.covariance is None else pose.covariance
    lever = torch.eye(6, dtype=places.dtype, device=places.device).repeat(len(places), 1, 1)
    x, y, z = (places - pose.translation.to(places)).unbind(-1)
    zero = torch.zeros_like(x)
    # A small turn w moves a place by w x lever.
    rows = [zero, z, -y, -z, zero, x, y, -x, zero]
    lever[:, :3, 3:] = torch.stack(rows, -1).reshape(-1, 3, 3)
    return lever @ covariance.to(places) @ lever.mT


def _without(values: Tensor, wrong: Tensor) -> Tensor:
    """Make the rows of poses that are unknown NaN."""
    return torch.where(wrong.reshape(-1, *[1] * (values.dim() - 1)), torch.nan, values)


def rigid(source: Answer, poses: Poses, target: Answer) -> Poses:
    """Carry poses rigidly with the class's pose, to compare with: nothing turns or stretches locally.

    Raises Refusal as `carry`.
    """
    one, other = (_pose(_placed(answer, "")) for answer in (source, target))
    turn = other.rotation @ one.rotation.mT
    at = Poses(poses.position.to(turn), poses.rotation.to(turn))
    return replace(at, position=(at.position - one.translation) @ turn.mT + other.translation,
                   rotation=turn @ at.rotation)  # fmt: skip
