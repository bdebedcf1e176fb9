"""Predictions from the mirrored source, where that one resembles the target more (GeoAware-SC).

Part of a benchmark rather than of a matcher: querying the mirrored image for a left eye takes the annotation
of the right eye.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from semcorr_ros.artifacts import ImagePair
from semcorr_ros.evaluation.views import Views
from semcorr_ros.methods import Placed
from semcorr_ros.methods._adaptive_flip import mirrored_queries, mutual_distance, object_distance


def improve(
    points: Float[Tensor, "keypoint 2"], pair: ImagePair, views: Views
) -> Float[Tensor, "keypoint 2"]:
    """Replace `points` of the target where the mirrored source is nearer and shows the keypoint.

    Unchanged where the class has no flip table or the backbone no mirrored features.
    """
    flip, samples = views.setup.flip, views.setup.samples
    mirrored = None if flip is None else views.mirrored(pair.source)
    if flip is None or mirrored is None or not _mirrored_is_nearer(pair, mirrored, views):
        return points
    sample = samples[pair.source]
    queries = mirrored_queries(sample.keypoints, flip, sample.size[1])[pair.keypoint_ids]
    known = sample.visible[list(flip)][pair.keypoint_ids]
    if not known.any():
        return points
    known = known.to(points.device)
    found = mirrored.carry(queries.to(points)[known], views.view(pair.target))
    improved = points.clone()
    improved[known] = found.points.to(points)
    return improved


def _mirrored_is_nearer(pair: ImagePair, mirrored: Placed, views: Views) -> bool:
    source, target = (views.view(name).seen.features for name in (pair.source, pair.target))
    masks = views.mask(pair.source), views.mask(pair.target)
    if masks[0] is None or masks[1] is None:
        return mutual_distance(mirrored.seen.features, target) < mutual_distance(source, target)
    own = object_distance(source, target, (masks[0], masks[1]))
    return object_distance(mirrored.seen.features, target, (masks[0].flip(1), masks[1])) < own
