"""How far off positions and poses may be: covariances that hold the truth at the stated rate.

The constants were fitted on rendered scenes of four classes and checked on others (benchmark/faults,
`coverage`): nine tenths of the 90 % ellipsoids hold the truth. They are fitted to that tail: 50 %
ellipsoids hold more than half. Nothing here foresees that an object was taken for another.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semcorr_ros.artifacts import KeypointState
from semcorr_ros.geometry import rotations
from semcorr_ros.methods.semalign3d.artifacts import Alignment, ClassRepresentation

# Standard deviations as shares of the object's scale (metres per canonical unit).
SEEN = 0.12  # across the ray, of a point that is seen
HIDDEN = 0.19  # along every axis, of one whose position comes from the class
ALONG = 0.10  # along the ray, where the sensor's depth and the class agree
DISAGREEMENT = 0.8  # share of their difference that is added to it
SURE = 0.5  # confidence at which the numbers above hold
CAUTION = 0.7  # exponent of their growth below that
SHIFT, TURN = 1.5, 0.9  # the keypoints' errors are not independent: deviations of the pose, times these
RIVALRY = 0.05  # energy by which a rival pose is 1 / e as likely


def point_covariance(
    xyz: Float[Tensor, "point 3"],
    placed: Float[Tensor, "point 3"],
    state: Int[Tensor, "point"],
    aligned: Alignment,
) -> Float[Tensor, "point 3 3"]:
    """Estimate the covariance of camera-frame positions, square depth units; NaN where unknown.

    placed: where the class put the points before image and depth were asked.
    """
    scale = aligned.scale[0] * _doubt(aligned)
    ray = xyz / xyz.norm(dim=-1, keepdim=True)
    apart = ((xyz - placed) * ray).sum(-1)
    along = torch.sqrt((ALONG * scale) ** 2 + (DISAGREEMENT * apart) ** 2)
    across = (SEEN * scale).expand_as(along)
    hidden = state != int(KeypointState.VISIBLE)
    along = torch.where(hidden, HIDDEN * scale, along)
    across = torch.where(hidden, HIDDEN * scale, across)
    outer = ray[:, :, None] * ray[:, None, :]
    eye = torch.eye(3, device=xyz.device)
    within = across[:, None, None] ** 2 * (eye - outer) + along[:, None, None] ** 2 * outer
    return within + _spread(_elsewhere(xyz, aligned) - xyz, _rivals(aligned))


def pose_covariance(
    model: ClassRepresentation, aligned: Alignment, directed: bool = True
) -> Float[Tensor, "6 6"]:
    """Estimate the covariance of x, y, z (depth units) and rotations about the camera's axes (rad).

    Of the canonical origin; from a least-squares fit to keypoints with the errors of `point_covariance`.
    A rotation about a class's axis of symmetry gets the variance of a uniform distribution, as does one about
    the upright axis of an object whose direction is not seen (`directed` false).
    """
    rotation, center = aligned.rotation[0], aligned.translation[0]
    points = aligned.scale[0] * model.sparse[model.annotated] @ rotation.T + center
    hidden = torch.full((len(points),), int(KeypointState.OCCLUDED), device=points.device)
    weight = torch.linalg.inv(point_covariance(points, points, hidden, aligned))
    jacobian = torch.cat([torch.eye(3, device=points.device).expand(len(points), 3, 3),
                          -_cross(points - center)], dim=-1)  # fmt: skip
    information = (jacobian.transpose(1, 2) @ weight @ jacobian).sum(0)
    factor = torch.tensor([SHIFT] * 3 + [TURN] * 3, device=points.device)
    covariance = factor[:, None] * torch.linalg.pinv(information, hermitian=True) * factor
    covariance = covariance + _spread(_pose_offsets(aligned)[:, None], _rivals(aligned))[0]
    if model.info.symmetric or not directed:
        axis = rotation[:, 2]
        covariance[3:, 3:] += math.pi**2 / 3 * axis[:, None] * axis[None]
    return covariance


def _rivals(aligned: Alignment) -> Float[Tensor, "hypothesis"]:
    """Compute probabilities of the hypotheses from their energies."""
    return torch.softmax(-(aligned.energy - aligned.energy[0]) / RIVALRY, dim=0)


def _elsewhere(xyz: Float[Tensor, "point 3"], aligned: Alignment) -> Float[Tensor, "hypothesis point 3"]:
    """Move points of the object to where each hypothesis places them."""
    canonical = (xyz - aligned.translation[0]) @ aligned.rotation[0] / aligned.scale[0]
    turned = torch.einsum("hij,pj->hpi", aligned.rotation, canonical)
    return aligned.scale[:, None, None] * turned + aligned.translation[:, None]


def _pose_offsets(aligned: Alignment) -> Float[Tensor, "hypothesis 6"]:
    """Compute translations and rotation vectors from the best hypothesis to each."""
    turns = [rotations.to_vector(rotation @ aligned.rotation[0].T) for rotation in aligned.rotation]
    return torch.cat([aligned.translation - aligned.translation[0], torch.stack(turns)], dim=-1)


def _spread(
    offsets: Float[Tensor, "hypothesis item axis"], probability: Float[Tensor, "hypothesis"]
) -> Float[Tensor, "item axis axis"]:
    """Compute the second moment about the best hypothesis, which is what is published."""
    return torch.einsum("h,hpi,hpj->pij", probability, offsets, offsets)


def _doubt(aligned: Alignment) -> Tensor:
    return (SURE / aligned.confidence[0].clamp(0.05, SURE)) ** CAUTION


def _cross(v: Float[Tensor, "point 3"]) -> Float[Tensor, "point 3 3"]:
    """Make matrices M with M @ w = v x w."""
    x, y, z = v.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(-1, 3, 3)
