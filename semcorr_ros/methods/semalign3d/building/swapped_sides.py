"""Images whose annotator swapped left and right, found by their shape and by visibility.

With swapped labels a lifted view has the wrong handedness: it does not fit the shape the other views
agree on, while it fits with the flip table applied to its labels. Views whose keypoints lie in a plane
fit either way, but with the wrong labels they would be seen from behind. Both signs are added. Depth
that is inside out has the wrong handedness too, but no labels bring its keypoints to the near side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from semcorr_ros.methods.semalign3d.artifacts import Views
from semcorr_ros.methods.semalign3d.building.evidence import Evidence, Look
from semcorr_ros.methods.semalign3d.building.lift_views import add_mirrored
from semcorr_ros.methods.semalign3d.building.pairwise import log_distances
from semcorr_ros.methods.semalign3d.building.procrustes import ROBUST, align_views, mean_shape
from semcorr_ros.methods.semalign3d.building.prototypes import keypoint_facing

MARGIN = (
    0.2  # by how much the other labels must be better; right views have less than 0.12, swapped ones more
)
MIN_FACING = 0.0  # swapped labels must bring the keypoints to the near side
MAX_SHARE = 1 / 3  # of the views; more is no annotators' mistake
ROUNDS = 3


def swapped_sides(views: Views, flip: tuple[int, ...]) -> Bool[Tensor, "view"]:
    """Find the original views that fit the others better with left and right exchanged.

    None if that would be more than a third of them.
    """
    swapped = torch.zeros(len(views.points), dtype=torch.bool)
    for _ in range(ROUNDS):
        found = _better_swapped(exchange_sides(views, swapped, flip), flip)
        if not found.any():
            break
        swapped = swapped ^ found
    return swapped if swapped.sum() <= MAX_SHARE * len(swapped) else torch.zeros_like(swapped)


def exchange_sides(views: Views, which: Bool[Tensor, "view"], flip: tuple[int, ...]) -> Views:
    """Apply the flip table to the labels of some views; points stay where they are."""
    order = torch.tensor(flip)
    points = torch.where(which[:, None, None], views.points[:, order], views.points)
    return replace(
        views, points=points, visible=torch.where(which[:, None], views.visible[:, order], views.visible)
    )


def exchange_labels(
    evidence: Sequence[Evidence], which: Bool[Tensor, "view"], flip: tuple[int, ...]
) -> list[Evidence]:
    """Apply the flip table to the keypoint labels of some views' evidence."""
    order = torch.tensor(flip)

    def exchanged(view: Evidence) -> Evidence:
        (features, mirrored), coarse = exchanged_features(view.looks[0]), view.coarse
        if coarse is not None:
            small, small_mirrored = exchanged_features(coarse)
            coarse = replace(coarse, features=small, mirrored_features=small_mirrored)
        return replace(
            view,
            pixels=view.pixels[order],
            depths=view.depths[order],
            features=features,
            mirrored_features=mirrored,
            coarse=coarse,
        )

    def exchanged_features(look: Look) -> tuple[Tensor, Tensor | None]:
        mirrored = look.mirrored_features
        return look.features[order], None if mirrored is None else mirrored[order]

    return [exchanged(view) if swap else view for view, swap in zip(evidence, which.tolist(), strict=True)]


def _better_swapped(views: Views, flip: tuple[int, ...]) -> Bool[Tensor, "view"]:
    both = add_mirrored(views, flip)
    shape, placed, _ = mean_shape(both, log_distances(both))
    both = replace(both, visible=both.visible & placed)
    aligned = align_views(both.points, both.visible.float(), shape)
    deviation = (aligned.points - shape).norm(dim=-1)
    fits = both.visible & aligned.usable[:, None] & (deviation < ROBUST)
    facing = keypoint_facing(both.points, aligned.rotation, fits)
    views = replace(views, visible=views.visible & placed)
    everyone = torch.ones(len(views.points), dtype=torch.bool)
    usable, misfit, near = _fit(views, shape, facing)
    other = _fit(exchange_sides(views, everyone, flip), shape, facing)
    gain = misfit - other[1] + other[2] - near
    return usable & other[0] & (gain > MARGIN) & (other[2] > MIN_FACING)


def _fit(
    views: Views, shape: Float[Tensor, "keypoint 3"], facing: Float[Tensor, "keypoint 3"]
) -> tuple[Bool[Tensor, "view"], Float[Tensor, "view"], Float[Tensor, "view"]]:
    """Tell which views can be aligned, their misfit, and how far keypoints face the camera."""
    aligned = align_views(views.points, views.visible.float(), shape)
    to_camera = torch.nn.functional.normalize(-views.points, dim=-1) @ aligned.rotation.mT
    count = views.visible.sum(1).clamp_min(1)
    deviation = (aligned.points - shape).norm(dim=-1)
    misfit = (torch.log1p((deviation / ROBUST) ** 2) * views.visible).sum(1) / count
    near = ((to_camera * facing).sum(-1) * views.visible).sum(1) / count
    return aligned.usable, misfit, near
