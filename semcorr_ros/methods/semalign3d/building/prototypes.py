"""Mean features of keypoints and surface points, and how certain they are (Eq. 4's a_mu, a_sigma)."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.spatial import cKDTree
from torch import Tensor

from semcorr_ros.artifacts import Prototypes
from semcorr_ros.methods.semalign3d.building.dense_cloud import MergedCloud

UNSEEN_MEAN = 0.5
CHUNK = 128


def keypoint_prototypes(
    features: Float[Tensor, "sample keypoint channel"],
    shown: Bool[Tensor, "sample keypoint"],
    std_floor: float,
) -> Prototypes:
    """Compute the prototype of every keypoint over the samples that show it.

    A keypoint with a single sample gets the mean spread of the others; one without samples a zero feature.
    """
    weight = shown.float()
    count = weight.sum(0)
    mean_feature = torch.nn.functional.normalize((weight[..., None] * features).sum(0), dim=-1)
    similarity = torch.einsum("skc,kc->sk", features, mean_feature)
    mean = (weight * similarity).sum(0) / count.clamp_min(1)
    squared = (weight * (similarity - mean) ** 2).sum(0)
    std = (squared / (count - 1).clamp_min(1)).sqrt()
    several = count >= 2
    typical = float(std[several].mean()) if several.any() else 2 * std_floor
    std = torch.where(several, std, typical)
    return Prototypes(mean_feature, torch.where(count > 0, mean, UNSEEN_MEAN), std.clamp_min(std_floor))


def surface_prototypes(
    centers: Float[Tensor, "cluster 3"],
    merged: MergedCloud,
    neighbors: int,
    std_floor: float,
    look: int = 0,
) -> Prototypes:
    """Compute the prototype of every cluster center over its nearest merged points.

    look: 0 = the pictures themselves, 1 = their coarse copies.
    """
    neighbors = min(neighbors, len(merged.points))
    nearest = cKDTree(merged.points.double().numpy()).query(centers.double().numpy(), neighbors)[1]
    rows = torch.from_numpy(np.asarray(nearest).reshape(len(centers), neighbors))
    parts = [_prototype(merged.features[chunk, look].float()) for chunk in rows.split(CHUNK)]
    feature, mean, std = (torch.cat(column) for column in zip(*parts, strict=True))
    return Prototypes(feature, mean, std.clamp_min(std_floor), merged.facing[rows].mean(1))


def _prototype(samples: Float[Tensor, "center neighbor channel"]) -> tuple[Tensor, Tensor, Tensor]:
    feature = torch.nn.functional.normalize(samples.mean(1), dim=-1)
    similarity = (samples @ feature[..., None])[..., 0]
    return feature, similarity.mean(1), similarity.std(1, correction=int(similarity.shape[1] > 1))


def keypoint_facing(
    points: Float[Tensor, "view keypoint 3"],
    rotation: Float[Tensor, "view 3 3"],
    shown: Bool[Tensor, "view keypoint"],
) -> Float[Tensor, "keypoint 3"]:
    """Average the unit directions, canonical frame, from camera-frame keypoints to their cameras.

    rotation: canonical_from_camera. Zero (visible from all sides) for keypoints no view shows.
    """
    to_camera = torch.nn.functional.normalize(-points, dim=-1) @ rotation.mT
    weight = shown.float()[..., None]
    return (weight * to_camera).sum(0) / weight.sum(0).clamp_min(1)
