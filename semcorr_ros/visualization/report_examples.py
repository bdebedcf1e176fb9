"""Pictures of the best and the worst pairs of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from semcorr_ros.artifacts import AnnotatedImage, ImagePair, KeypointState
from semcorr_ros.evaluation import pck
from semcorr_ros.evaluation.journal import Journal
from semcorr_ros.evaluation.score import Protocol, mean_errors
from semcorr_ros.files.picture import read_image
from semcorr_ros.visualization.canvas import BLACK, Canvas, resized
from semcorr_ros.visualization.matches import Matches, draw_matches

ALPHA = 0.1
WIDTH = 1200  # pixels of a picture; smaller, names cannot be read
RIGHT, WRONG = (60, 220, 90), (255, 60, 50)


@dataclass(frozen=True)
class Example:
    """One drawn pair."""

    kind: str  # best or worst
    caption: str
    picture: UInt8[Tensor, "height width 3"]


def extremes(
    pairs: Mapping[int, ImagePair], journal: Journal, protocol: Protocol, names: Sequence[str], count: int
) -> list[Example]:
    """Draw the `count` pairs of the largest mean error, then those of the smallest, of all predicted ones.

    names: of the keypoints, by id. A pair whose images cannot be read any more is left out.
    """
    errors = mean_errors(pairs, journal, protocol)
    order = sorted(errors, key=lambda index: (-errors[index], index))
    worst = order[: min(count, len(order) // 2 + len(order) % 2)]
    best = [index for index in order[::-1][:count] if index not in worst]
    found = []
    for kind, indices in (("worst", worst), ("best", best)):
        for index in indices:
            pair, points = pairs[index], journal.predictions[index].points
            if pair.source in protocol.samples and pair.target in protocol.samples:
                right = pck.correct(points, pair.target_keypoints, ALPHA * protocol.size(pair))
                caption = _caption(pair, right, errors[index], protocol.threshold)
                found.append(Example(kind, caption, draw_pair(pair, points, right, protocol.samples, names)))
    return found


def draw_pair(
    pair: ImagePair,
    points: Float[Tensor, "keypoint 2"],
    right: Bool[Tensor, "keypoint"],
    samples: Mapping[str, AnnotatedImage],
    names: Sequence[str],
) -> UInt8[Tensor, "height width 3"]:
    """Draw source and target side by side; a line leads from each answer to the white cross of its truth.

    The line is green where the answer is right and red where it is wrong; only wrong ones are named.
    """
    source, target = (read_image(samples[name].image_path) for name in (pair.source, pair.target))
    enlarged = Canvas(target)
    for answer, truth, good in zip(
        points.tolist(), pair.target_keypoints.tolist(), right.tolist(), strict=True
    ):
        if answer == answer:  # not NaN
            enlarged.line(answer, truth, BLACK, width=10, alpha=150)
            enlarged.line(answer, truth, RIGHT if good else WRONG, width=6)
    known = torch.isfinite(points).all(-1)
    shown = [
        "" if good else _name(names, i)
        for i, good in zip(pair.keypoint_ids.tolist(), right.tolist(), strict=True)
    ]
    matches = Matches(
        source=pair.source_keypoints,
        target=_on(enlarged, points),
        state=torch.where(known, int(KeypointState.VISIBLE), int(KeypointState.UNKNOWN)),
        names=tuple(shown),
        truth=_on(enlarged, pair.target_keypoints),
    )
    return _narrowed(draw_matches(source, enlarged.tensor(), matches))


def _on(canvas: Canvas, points: Float[Tensor, "point 2"]) -> Float[Tensor, "point 2"]:
    return (points + 0.5) * canvas.scale - 0.5


def _name(names: Sequence[str], keypoint: int) -> str:
    return names[keypoint] if keypoint < len(names) else str(keypoint)


def _caption(pair: ImagePair, right: Bool[Tensor, "keypoint"], error: float, threshold: str) -> str:
    of = "box" if threshold == "bbox" else "image"
    return (
        f"{pair.source} to {pair.target}: {int(right.sum())} of {len(right)} right,"
        f" mean error {error:.2f} of the {of}"
    )


def _narrowed(picture: UInt8[Tensor, "height width 3"]) -> UInt8[Tensor, "height_s width_s 3"]:
    height, width = picture.shape[:2]
    if width <= WIDTH:
        return picture
    return resized(picture, (round(height * WIDTH / width), WIDTH))
