"""Mirrored distances agree: a pulled left wing takes the right one along (SemAlign3D's Fig. 7 does not).

Between keypoints i and j and their mirror images the distances should have the ratio they have in the
class's mean shape, as far as the training shapes did: what the class's modes do to a ratio is its
tolerance, so walking legs stay free. 0 without a flip table, and where the mean shape itself does not
fit the table.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from semcorr_ros.methods.semalign3d.alignment.state import Evidence, State
from semcorr_ros.methods.semalign3d.alignment.terms import Term
from semcorr_ros.methods.semalign3d.artifacts import ClassRepresentation

TOLERANCE = 0.05  # standard deviation of a log ratio that the modes do not explain
MAX_ASYMMETRY = 0.1  # RMS log ratio in the mean shape above which the flip table is taken to be wrong
TINY = 1e-8  # squared distance, working units, that keeps logarithms finite


def energy(state: State, evidence: Evidence, model: ClassRepresentation) -> Float[Tensor, "hypothesis"]:
    """Compute half the mean squared deviation of log(d_ij / d_mirrored(ij)), in standard deviations."""
    pairs = mirrored_pairs(model)
    usual = log_ratios(model.sparse, pairs)
    if not len(pairs) or usual.square().mean().sqrt() > MAX_ASYMMETRY:
        return 0 * state.keypoints.sum((1, 2))
    by_mode = log_ratios(model.sparse + model.shape_modes, pairs) - usual
    variance = by_mode.square().sum(0) + TOLERANCE**2
    return 0.5 * ((log_ratios(state.keypoints, pairs) - usual) ** 2 / variance).mean(-1)


PLUGIN = Term(energy)


def mirrored_pairs(model: ClassRepresentation) -> Int[Tensor, "pair 4"]:
    """List rows (i, j, flip i, flip j): each pair of keypoints that is not its own mirror image, once."""
    flip = model.info.flip
    if flip is None:
        return torch.zeros(0, 4, dtype=torch.long, device=model.sparse.device)
    mirror = torch.tensor(flip, device=model.sparse.device)
    i, j = torch.triu_indices(len(flip), len(flip), 1, device=model.sparse.device)
    low, high = torch.minimum(mirror[i], mirror[j]), torch.maximum(mirror[i], mirror[j])
    once = (i * len(flip) + j) < (low * len(flip) + high)
    known = model.annotated[i] & model.annotated[j] & model.annotated[low] & model.annotated[high]
    return torch.stack([i, j, mirror[i], mirror[j]], -1)[once & known]


def log_ratios(
    points: Float[Tensor, "*batch keypoint 3"], pairs: Int[Tensor, "pair 4"]
) -> Float[Tensor, "*batch pair"]:
    """Compute log of the distance between the first two points of a row over that between the last two."""
    a, b, c, d = (points.index_select(-2, column) for column in pairs.unbind(-1))
    squared = ((a - b) ** 2).sum(-1) + TINY, ((c - d) ** 2).sum(-1) + TINY
    return 0.5 * (squared[0].log() - squared[1].log())
