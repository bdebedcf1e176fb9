"""To sub-cell precision: where around its place does the image show what the class has there? (Eq. 14)

The feature of one cell says little: its neighbours are nearly as alike, and it is noisy. So the class's
surface around a point is laid over the image with it, and all of it is compared at once.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.geometry import cameras, grid
from semcorr_ros.methods.semalign3d.alignment.visibility import log_visibility
from semcorr_ros.methods.semalign3d.artifacts import Alignment, ClassRepresentation, View
from semcorr_ros.methods.semalign3d.matching.visibility import visible_share

# Chosen on validation images of benchmark/rendered, with oracle features and with `tiny`, and on folds of the
# training photographs of benchmark/photographs.
REACH, STEPS = 2.5, 7  # sigmas to either side that are looked at, places along them
AROUND = 0.15  # canonical units: how far the surface counts that is laid over the image with a point
NEIGHBORS = 24  # points of that surface
OWN = 0.3  # share of the point's own feature in the comparison
TEMPERATURE = 0.01  # of the soft-argmax over mean cosine similarities


def refine(
    model: ClassRepresentation,
    view: View,
    xyz: Float[Tensor, "point 3"],
    features: Float[Tensor, "point channel"],
    sigma: float,
) -> Float[Tensor, "point 2"]:
    """Find the pixels of placed points, camera frame, around where the class projects them.

    features: expected there, unit norm. sigma: of how far it is from there, shares of the object's RMS radius
    in the image. A point that the class itself hides stays where it is projected.
    """
    aligned = view.aligned
    unit = sigma * image_radius(aligned)
    steps = torch.linspace(-REACH, REACH, STEPS, device=xyz.device) * unit
    offsets = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), -1).reshape(-1, 2)
    pixels = cameras.project(xyz, aligned.camera)
    around = pixels[:, None] + offsets
    own = (_features(view, around) * features[:, None]).sum(-1)
    # Of photographs without depth the surface between keypoints is a guess: laid over the image, it misleads.
    measured = model.surface_measured
    similarity = OWN * own + (1 - OWN) * _of_surface(model, view, xyz, offsets) if measured else own
    log_prior = -(offsets**2).sum(-1) / (2 * unit**2)
    weight = torch.softmax(similarity / TEMPERATURE + log_prior, dim=-1)
    return pixels + visible_share(xyz, aligned)[:, None] * (weight @ offsets)


def image_radius(aligned: Alignment) -> float:
    """Compute the RMS radius of the best hypothesis's keypoints in the image, pixels."""
    spread = cameras.project(aligned.keypoints[0], aligned.camera)
    return float((spread - spread.mean(0)).square().sum(-1).mean().sqrt())


def _of_surface(
    model: ClassRepresentation, view: View, xyz: Float[Tensor, "point 3"], offsets: Float[Tensor, "offset 2"]
) -> Float[Tensor, "point offset"]:
    """Average the similarity of the visible surface around each point to the image that it falls on."""
    aligned, prototypes = view.aligned, model.dense.prototypes
    cloud = aligned.dense[0]
    facing = log_visibility(model, aligned.keypoints[:1], aligned.dense[:1], prototypes.facing)[0].exp()
    distance = torch.cdist(xyz, cloud) / aligned.scale[0]
    weight = torch.exp(-0.5 * (distance / AROUND) ** 2) * facing * visible_share(cloud, aligned)
    weight, rows = torch.topk(weight, min(NEIGHBORS, len(cloud)), dim=1)
    pixels = cameras.project(cloud, aligned.camera)[rows]
    seen = _features(view, pixels[:, :, None] + offsets)
    similarity = (seen * prototypes.features[rows][:, :, None]).sum(-1)
    return (weight[..., None] * similarity).sum(1) / weight.sum(1, keepdim=True).clamp_min(1e-6)


def _features(view: View, pixels: Float[Tensor, "*batch 2"]) -> Float[Tensor, "*batch channel"]:
    found = grid.features_at(view.seen.features, pixels.reshape(-1, 2))
    return found.reshape(*pixels.shape[:-1], found.shape[-1])
