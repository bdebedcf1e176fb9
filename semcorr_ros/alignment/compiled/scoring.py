"""The likelihood of many starts at a glance."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.alignment.compiled.kernel import kernel
from semcorr_ros.alignment.compiled.projection import fit_rotation, log_visibility, project
from semcorr_ros.alignment.compiled.reconstruction import cheapest
from semcorr_ros.alignment.compiled.step import blend
from semcorr_ros.alignment.compiled.tables import Array, Class, Samples, class_tables, sample_tables
from semcorr_ros.alignment.compiled.threads import share_out
from semcorr_ros.alignment.initialize import Starts
from semcorr_ros.alignment.state import Evidence
from semcorr_ros.artifacts import ClassRepresentation

F = np.float32


def score(
    model: ClassRepresentation, seen: Evidence, starts: Starts, sigma: float, samples: int
) -> Float[Tensor, "start"]:
    """Dense reconstruction likelihood of the undeformed class at the starts; see engine.Engine."""
    few = torch.arange(min(samples, len(seen.dense.points)))
    known, glimpse = class_tables(model, seen.visibility), sample_tables(seen.dense.subset(few))
    points = (model.sparse @ starts.rotation.mT + starts.translation[:, None]).mT.contiguous().cpu().numpy()
    focal, surface = starts.focal.cpu().numpy(), starts.surface_depth.cpu().numpy()
    found = np.zeros(len(points), np.float32)

    def work(rows: slice) -> None:
        likelihoods(known, glimpse, points[rows], (focal[rows], surface[rows]), F(sigma), found[rows])

    share_out(work, len(points))
    return torch.from_numpy(found).to(model.sparse.device)


@kernel
def likelihoods(
    known: Class, samples: Samples, points: Array, placement: tuple[Array, Array], sigma: F, found: Array
) -> None:
    """found (H,): mean over all samples of max_i p_rec, for keypoints (H, 3, L), focals and surfaces (H,)."""
    focals, surfaces = placement
    count = known.barycentric.shape[1]
    dense, placed = np.empty((3, count), np.float32), np.empty((3, count), np.float32)
    visible, cost = np.empty(count, np.float32), np.empty(count, np.float32)
    sharp = F(0.5) / (sigma * sigma)
    for h in range(len(points)):
        blend(known.barycentric, points[h], dense)
        project(dense, focals[h], surfaces[h], placed)
        rotation = fit_rotation(known.sparse, points[h], known.seen)
        log_visibility(dense, known.facing, rotation, visible)
        for s in range(samples.x.size):
            relief = focals[h] * samples.relief[s]
            sample = (samples.x[s], samples.y[s], relief, samples.relief_weight[s], sharp)
            i = cheapest(samples.log_semantic[s], visible, (placed[0], placed[1], placed[2]), sample, cost)
            found[h] += math.exp(-cost[i]) / F(samples.x.size)
