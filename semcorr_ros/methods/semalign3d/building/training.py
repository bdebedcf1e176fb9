"""All training images lifted to 3D, mirrored ones included where the flip table holds."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from semcorr_ros.artifacts import CategoryInfo
from semcorr_ros.methods.semalign3d.artifacts import Views
from semcorr_ros.methods.semalign3d.building.config import BuildConfig
from semcorr_ros.methods.semalign3d.building.evidence import Evidence
from semcorr_ros.methods.semalign3d.building.flip_check import FlipCheck, check_flip
from semcorr_ros.methods.semalign3d.building.focal_lengths import focal_lengths
from semcorr_ros.methods.semalign3d.building.lift_views import add_mirrored, lift_views
from semcorr_ros.methods.semalign3d.building.report import Report
from semcorr_ros.methods.semalign3d.building.swapped_sides import (
    exchange_labels,
    exchange_sides,
    swapped_sides,
)


@dataclass(frozen=True)
class Training:
    """All that was read, lifted to 3D."""

    info: CategoryInfo
    evidence: list[Evidence]  # labels of views with swapped sides exchanged
    focals: Float[Tensor, "view"]
    flip: FlipCheck  # accepted: mirrored views follow the originals
    views: Views
    swapped: tuple[str, ...] = ()  # names of views whose left and right were exchanged

    @property
    def permutation(self) -> tuple[int, ...] | None:
        """Return the flip table, None if there are no mirrored views."""
        return self.info.flip if self.flip.accepted else None


def lift(
    info: CategoryInfo,
    evidence: list[Evidence],
    config: BuildConfig,
    generator: torch.Generator,
    report: Report,
) -> Training:
    """Estimate unknown focal lengths, check the flip table, lift, and mirror."""
    with report.stage("focal lengths", 0.6):
        focals = focal_lengths(evidence, None, config, generator)
        views = lift_views(evidence, focals)
    with report.stage("flip table", 0.65):
        check, evidence, swapped = _checked(views, evidence, info, config, generator)
        if not config.mirror:
            check = FlipCheck(False, "mirroring is switched off", check.distance_score, check.volume_score)
        elif not check.accepted:
            report.warn(f"mirrored views are not used: {check.reason}")
        if swapped:
            report.warn(f"swapped left/right? {', '.join(swapped)}: used the other way round")
        views = lift_views(evidence, focals)
    if check.accepted and info.flip is not None:
        with report.stage("focal lengths, mirrored", 0.66):
            # Left and right sides now tell about each other.
            focals = focal_lengths(evidence, info.flip, config, generator, start=focals)
        views = add_mirrored(lift_views(evidence, focals), info.flip)
    return Training(info, evidence, focals, check, views, swapped)


def _checked(
    views: Views,
    evidence: list[Evidence],
    info: CategoryInfo,
    config: BuildConfig,
    generator: torch.Generator,
) -> tuple[FlipCheck, list[Evidence], tuple[str, ...]]:
    """Check the flip table, and exchange swapped sides; also return the names of those views."""
    check = check_flip(views, info.flip, generator)
    if info.flip is None or not check.well_formed or not config.mend_swapped_sides:
        return check, evidence, ()
    swapped = swapped_sides(views, info.flip)
    if not check.accepted:
        # Swapped sides can make a right table fail; a wrong one fails after the exchange, too.
        check = check_flip(exchange_sides(views, swapped, info.flip), info.flip, generator)
    if not check.accepted:
        return check, evidence, ()
    names = tuple(view.name for view, swap in zip(evidence, swapped.tolist(), strict=True) if swap)
    return check, exchange_labels(evidence, swapped, info.flip), names
