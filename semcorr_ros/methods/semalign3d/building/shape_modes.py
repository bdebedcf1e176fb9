"""How instances of the class differ: probabilistic PCA of the aligned views, with missing keypoints.

Expectation maximization as for PCA with missing values (Ilin and Raiko 2010): the hidden state of a view
is how far it deviates along every mode; its unseen keypoints follow from the visible ones. Each view is
aligned to its own predicted shape instead of to the mean, so that deformation is not mistaken for motion.

A lifted keypoint is exact across its line of sight and often wrong along it: at a silhouette the depth of
another surface is read. So residuals are judged apart. A suspicious depth is replaced by the predicted
one as far as it is suspicious, and what the pixel says is kept (an EM step that takes the depth as hidden).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.geometry.similarity import apply_similarity
from semcorr_ros.methods.semalign3d.artifacts import Views
from semcorr_ros.methods.semalign3d.building.procrustes import Aligned, align_views, normalize_shape

ITERATIONS = 25
RIDGE = 1.0  # pseudo-observations that pull a mode's entry to zero
MIN_NOISE = 0.04
ROBUST = 6.0  # residuals beyond this many noise deviations count less: slips, not the variety of the class
ROBUST_DEPTH = 1.4  # the same along the line of sight


@dataclass(frozen=True)
class ShapeModel:
    """Mean shape, modes of one standard deviation each, and the views aligned to it."""

    mean: Float[Tensor, "keypoint 3"]
    modes: Float[Tensor, "mode keypoint 3"]
    noise: float  # standard deviation of a coordinate that the modes do not explain
    aligned: Aligned
    completed: Float[Tensor, "view keypoint 3"]  # aligned views, keypoints not visible predicted


def shape_model(views: Views, start: Float[Tensor, "keypoint 3"], modes: int) -> ShapeModel:
    """Fit the model to views of which all keypoints are placed in `start`. RMS radius of the mean is 1."""
    count = min(modes, int((~views.mirrored).sum()) // 3)
    visible = views.visible.float()
    everywhere = torch.ones(len(start), dtype=torch.bool)
    mean, aligned = start, align_views(views.points, visible, start)
    basis, noise = _first_modes(aligned, visible, mean, count), 0.1
    predicted = mean.expand(views.points.shape)
    for _ in range(ITERATIONS):
        trust, keep = _trust(views.points, aligned, predicted, noise)
        weight = visible * aligned.usable[:, None] * trust
        mended = _mended(views.points, aligned, predicted, keep)
        state, second = _expect(mended - mean, weight, basis, noise)
        predicted = mean + torch.einsum("vm,mkc->vkc", state, basis)
        aligned = align_views(_in_camera(mended, aligned), weight, predicted)
        aligned = _recenter(aligned, weight, predicted, mean)
        mean, basis, noise = _maximize(aligned.points, weight, state, second)
        # Mended depths deviate less than true ones do.
        noise *= float((3 * weight.sum() / ((2 + keep) * weight).sum().clamp_min(1e-9)).sqrt())
        basis = _without_motion(_rescale(basis, second), mean)
        mean = normalize_shape(mean, everywhere)
    aligned = replace(aligned, points=_placed(views.points, aligned))
    completed = torch.where(views.visible[..., None], aligned.points, predicted)
    return ShapeModel(mean, _principal(basis), noise, aligned, completed)


def _first_modes(aligned: Aligned, visible: Tensor, mean: Tensor, count: int) -> Tensor:
    weight = (visible * aligned.usable[:, None])[..., None]
    deviations = (weight * (aligned.points - mean)).flatten(1)
    _, singular, vectors = torch.linalg.svd(deviations, full_matrices=False)
    count = min(count, len(singular))
    scaled = vectors[:count] * singular[:count, None] / max(1, len(deviations)) ** 0.5
    return scaled.view(count, *mean.shape)


def _placed(points: Tensor, aligned: Aligned) -> Float[Tensor, "view keypoint 3"]:
    return apply_similarity(points, aligned.scale, aligned.rotation, aligned.translation)


def _in_camera(placed: Tensor, aligned: Aligned) -> Float[Tensor, "view keypoint 3"]:
    scale = aligned.scale.clamp_min(1e-12)[:, None, None]
    return (placed - aligned.translation[:, None]) @ aligned.rotation / scale


def _along_sight(points: Tensor, aligned: Aligned, predicted: Tensor) -> Float[Tensor, "view keypoint 3"]:
    """Project residuals onto the lines of sight."""
    sight = torch.nn.functional.normalize(points, dim=-1) @ aligned.rotation.mT
    return ((_placed(points, aligned) - predicted) * sight).sum(-1, keepdim=True) * sight


def _trust(
    points: Tensor, aligned: Aligned, predicted: Tensor, noise: float
) -> tuple[Float[Tensor, "view keypoint"], Float[Tensor, "view keypoint"]]:
    """Compute the robust weight of every keypoint, and the share of its depth residual that is trusted."""
    along = _along_sight(points, aligned, predicted)
    across = _placed(points, aligned) - predicted - along
    trust = 1 / (1 + (across.norm(dim=-1) / (ROBUST * noise)) ** 2)
    return trust, 1 / (1 + (along.norm(dim=-1) / (ROBUST_DEPTH * noise)) ** 2)


def _mended(points: Tensor, aligned: Aligned, predicted: Tensor, keep: Tensor) -> Tensor:
    """Move aligned keypoints along their lines of sight by the untrusted share of their residual."""
    along = _along_sight(points, aligned, predicted)
    return _placed(points, aligned) - (1 - keep)[..., None] * along


def _expect(
    deviation: Tensor, weight: Tensor, basis: Tensor, noise: float
) -> tuple[Float[Tensor, "view mode"], Float[Tensor, "view mode mode"]]:
    """Compute the posterior mean and second moment of every view's coordinates along the modes."""
    precision = torch.einsum("vk,mkc,nkc->vmn", weight, basis, basis) / noise**2
    precision = precision + torch.eye(len(basis))
    covariance = torch.linalg.inv(precision)
    data = torch.einsum("vk,mkc,vkc->vm", weight, basis, deviation) / noise**2
    state = (covariance @ data[..., None])[..., 0]
    return state, covariance + state[:, :, None] * state[:, None, :]


def _maximize(points: Tensor, weight: Tensor, state: Tensor, second: Tensor) -> tuple[Tensor, Tensor, float]:
    """Fit mean, modes and noise by regressing every keypoint on the states of the views that show it."""
    views, modes = state.shape
    moments = torch.zeros(views, modes + 1, modes + 1)
    moments[:, :modes, :modes] = second
    moments[:, :modes, modes] = moments[:, modes, :modes] = state
    moments[:, modes, modes] = 1
    left = torch.einsum("vk,vmn->kmn", weight, moments)
    left = left + RIDGE * torch.diag(torch.tensor([1.0] * modes + [1e-6]))
    extended = torch.cat([state, torch.ones(views, 1)], 1)
    right = torch.einsum("vk,vm,vkc->kmc", weight, extended, points)
    solution = torch.linalg.solve(left, right)  # (L, M + 1, 3)
    error = points - torch.einsum("vm,kmc->vkc", extended, solution)
    freedom = (3 * weight.sum() - 7 * views - state.numel()).clamp_min(weight.sum())
    noise = ((weight[..., None] * error**2).sum() / freedom.clamp_min(1)).sqrt()
    return solution[:, modes], solution[:, :modes].transpose(0, 1), max(MIN_NOISE, float(noise))


def _rescale(basis: Tensor, second: Tensor) -> Tensor:
    """Scale modes to states of unit covariance (parameter-expanded EM: plain EM gets there slowly)."""
    values, vectors = torch.linalg.eigh(second.mean(0))
    root = vectors @ torch.diag(values.clamp_min(1e-9).sqrt())
    return torch.einsum("mn,mkc->nkc", root, basis)


def _recenter(aligned: Aligned, weight: Tensor, predicted: Tensor, mean: Tensor) -> Aligned:
    """Move every view so that its completed shape is aligned to the mean as a whole."""
    completed = torch.where(weight[..., None] > 0, aligned.points, predicted)
    whole = align_views(completed, torch.ones_like(weight), mean)
    rotation = whole.rotation @ aligned.rotation
    translation = whole.scale[:, None] * (whole.rotation @ aligned.translation[..., None])[..., 0]
    points = whole.scale[:, None, None] * aligned.points @ whole.rotation.mT + whole.translation[:, None]
    return Aligned(
        points, whole.scale * aligned.scale, rotation, translation + whole.translation, aligned.usable
    )


def _without_motion(basis: Tensor, mean: Tensor) -> Tensor:
    """Remove from the modes what a small translation, rotation or scaling of the mean can explain."""
    axes = torch.eye(3)
    motions = [axis.expand(mean.shape) for axis in axes]
    motions += [torch.linalg.cross(axis.expand(mean.shape), mean, dim=-1) for axis in axes] + [mean]
    orthonormal = torch.linalg.svd(torch.stack(motions).flatten(1), full_matrices=False).Vh
    flat = basis.flatten(1)
    return (flat - flat @ orthonormal.T @ orthonormal).view_as(basis)


def _principal(basis: Tensor) -> Tensor:
    """Express the same deformations by orthogonal modes, largest first, one standard deviation each."""
    if len(basis) == 0:
        return basis
    _, singular, vectors = torch.linalg.svd(basis.flatten(1), full_matrices=False)
    return (singular[:, None] * vectors).view_as(basis)
