"""The best and the worst pairs of an evaluation, to look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import UInt8
from torch import Tensor

from semcorr_ros.artifacts import AnnotatedImage, ImagePair, KeypointState
from semcorr_ros.evaluation.journal import Journal
from semcorr_ros.storage import read_image
from semcorr_ros.visualization.matches import Matches, draw_matches

SHOWN = 3  # of each kind


@dataclass(frozen=True)
class Example:
    """One drawn pair."""

    title: str
    picture: UInt8[Tensor, "height width 3"]


def extremes(
    what: str,
    pairs: Mapping[int, ImagePair],
    scores: Mapping[int, float],
    journal: Journal,
    samples: Mapping[str, AnnotatedImage],
) -> list[Example]:
    """The pairs with the lowest and the highest share of correct keypoints; white crosses are the truth."""
    order = sorted(scores, key=lambda index: (scores[index], index))
    worst, best = order[:SHOWN], [i for i in order[-SHOWN:][::-1] if i not in order[:SHOWN]]
    found = []
    for kind, indices in (("worst", worst), ("best", best)):
        for index in indices:
            pair = pairs[index]
            title = f"{what}, {kind}: {pair.source} to {pair.target}, {100 * scores[index]:.0f} % correct"
            points = journal.predictions[index].points
            found.append(Example(title, _picture(pair, points, samples)))
    return found


def _picture(pair: ImagePair, points: Tensor, samples: Mapping[str, AnnotatedImage]) -> Tensor:
    known = torch.isfinite(points).all(-1)
    state = torch.where(known, int(KeypointState.VISIBLE), int(KeypointState.OUT_OF_IMAGE))
    matches = Matches(
        source=pair.source_keypoints,
        target=points.nan_to_num(-1.0),
        state=state,
        names=tuple(str(int(i)) for i in pair.keypoint_ids),
        truth=pair.target_keypoints,
    )
    source, target = (read_image(samples[name].image_path) for name in (pair.source, pair.target))
    return draw_matches(source, target, matches)
