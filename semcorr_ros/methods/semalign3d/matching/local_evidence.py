"""To sub-cell precision: where around its place does the image show what the class has there? (Eq. 14)

The feature of one cell says little: its neighbours are nearly as alike, and it is noisy. So the class's
surface around a point is laid over the image with it, and all of it is compared at once.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semcorr_ros.geometry import cameras
from semcorr_ros.geometry.cosines import cosines
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
    # Of photographs without depth the surface between keypoints is a guess: laid over the image, it misleads.
    count = NEIGHBORS if model.surface_measured else 0
    weight, rows = _surface_around(model, aligned, xyz, count)
    places = torch.cat([pixels[:, None], cameras.project(aligned.dense[0], aligned.camera)[rows]], 1)
    wanted = torch.cat([features[:, None], model.dense.prototypes.features[rows]], 1)
    around = places.flatten(0, 1)[:, None] + offsets
    found = cosines(view.seen.features, around, wanted.flatten(0, 1)).reshape(*places.shape[:2], -1)
    similarity = (weight[..., None] * found).sum(1)
    log_prior = -(offsets**2).sum(-1) / (2 * unit**2)
    likely = torch.softmax(similarity / TEMPERATURE + log_prior, dim=-1)
    return pixels + visible_share(xyz, aligned)[:, None] * (likely @ offsets)


def image_radius(aligned: Alignment) -> float:
    """Compute the RMS radius of the keypoints in the image, pixels; at most the longer side of the image.

    A keypoint beside the camera or behind it projects anywhere.
    """
    spread = cameras.project(aligned.keypoints[0], aligned.camera)
    radius = float((spread - spread.mean(0)).square().sum(-1).mean().sqrt())
    return min(radius, float(max(aligned.camera.size)))


def _surface_around(
    model: ClassRepresentation, aligned: Alignment, xyz: Float[Tensor, "point 3"], count: int
) -> tuple[Float[Tensor, "point weighed"], Int[Tensor, "point neighbor"]]:
    """Choose the nearest visible dense points; weigh each point itself, then those. Weights sum to 1."""
    if count == 0:
        return xyz.new_ones(len(xyz), 1), torch.empty(len(xyz), 0, dtype=torch.long, device=xyz.device)
    cloud, facing = aligned.dense[0], model.dense.prototypes.facing
    turned = log_visibility(model, aligned.keypoints[:1], aligned.dense[:1], facing)[0].exp()
    distance = torch.cdist(xyz, cloud) / aligned.scale[0]
    weight = torch.exp(-0.5 * (distance / AROUND) ** 2) * turned * visible_share(cloud, aligned)
    weight, rows = torch.topk(weight, min(count, len(cloud)), dim=1)
    weight = weight / weight.sum(1, keepdim=True).clamp_min(1e-6)
    alone = weight.new_full((len(xyz), 1), OWN)
    return torch.cat([alone, (1 - OWN) * weight], 1), rows
