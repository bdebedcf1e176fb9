"""Align a class to an image by energy minimisation (SemAlign3D, Eq. 4-13)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from semcorr_ros import backbones
from semcorr_ros.artifacts import Camera, Observation
from semcorr_ros.geometry.similarity import fit_similarity
from semcorr_ros.masks._agreement import trust
from semcorr_ros.methods.semalign3d.alignment import engine
from semcorr_ros.methods.semalign3d.alignment.evidence import EvidenceConfig, gather_evidence
from semcorr_ros.methods.semalign3d.alignment.initialize import InitializeConfig, Starts, choose_starts
from semcorr_ros.methods.semalign3d.alignment.objective import ObjectiveConfig
from semcorr_ros.methods.semalign3d.alignment.optimize import OptimizeConfig, Optimized, StepCallback
from semcorr_ros.methods.semalign3d.alignment.select import Ranking, SelectConfig, rank
from semcorr_ros.methods.semalign3d.alignment.state import Evidence
from semcorr_ros.methods.semalign3d.alignment.turning import TurningConfig, turned
from semcorr_ros.methods.semalign3d.artifacts import Alignment, ClassRepresentation
from semcorr_ros.methods.semalign3d.matching_config import MatchingConfig


@dataclass(frozen=True)
class AlignmentConfig:
    """All constants of the alignment, and of the matching that follows; presets.py has named ones."""

    evidence: EvidenceConfig = field(default_factory=EvidenceConfig)
    initialize: InitializeConfig = field(default_factory=InitializeConfig)
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    optimize: OptimizeConfig = field(default_factory=OptimizeConfig)
    select: SelectConfig = field(default_factory=SelectConfig)
    turning: TurningConfig | None = field(default_factory=TurningConfig)  # None: energy alone decides
    matching: MatchingConfig = field(default_factory=MatchingConfig)
    engine: str = "auto"  # one of engine.ENGINES: they differ in speed, not in what they compute


def align(
    model: ClassRepresentation,
    seen: Observation,
    config: AlignmentConfig,
    generator: torch.Generator,
    on_step: StepCallback | None = None,
) -> Alignment:
    """Place and deform the class so that it explains the image; hypotheses come best first.

    Raises BackboneMismatchError if another backbone encoded the image, NotFoundError if its object mask is
    empty.
    """

    def starts(evidence: Evidence) -> Starts:
        score = engine.choose(config.engine, config.objective).score
        return choose_starts(model, evidence, config.initialize, generator, score)

    return align_from(model, seen, (config, starts), generator, on_step)


def align_from(
    model: ClassRepresentation,
    seen: Observation,
    how: tuple[AlignmentConfig, Callable[[Evidence], Starts]],
    generator: torch.Generator,
    on_step: StepCallback | None = None,
) -> Alignment:
    """Align from given starts: `how` holds the settings, and makes the starts from the evidence.

    Raises as `align`.
    """
    config, starts = how
    work = engine.choose(config.engine, config.objective)
    backbones.check(model, seen.features.backbone)
    evidence = gather_evidence(model, seen, config.evidence, generator)
    configs = config.optimize, config.objective
    found = work.optimize(model, evidence, starts(evidence), configs, generator, on_step)
    with torch.no_grad():
        judge = config.select, config.objective
        ranking = rank(model, evidence, found, judge)
        best = int(ranking.order[0])
        if config.turning and (better := turned(model, evidence, found, best, config.turning)):
            found, ranking = better, rank(model, evidence, better, judge).led_by(best)
        return _to_depth_units(model, seen, evidence, found, ranking)


def _to_depth_units(
    model: ClassRepresentation, seen: Observation, evidence: Evidence, found: Optimized, ranking: Ranking
) -> Alignment:
    """Scale working units so that the visible surface lies at the observed depth.

    Without depth the class's training scale decides; without that, units stay canonical.
    """
    keypoints, focal = found.keypoints[ranking.order], found.focal[ranking.order]
    canonical = model.sparse[model.annotated].expand(len(keypoints), -1, -1)
    scale, rotation, _ = fit_similarity(canonical, keypoints[:, model.annotated])
    if evidence.object_depth > 0:
        unit = evidence.object_depth / found.surface_depth[ranking.order]
    else:
        unit = (model.metric_scale or 1.0) / scale
    keypoints = keypoints * unit[:, None, None]
    scale, rotation, translation = fit_similarity(canonical, keypoints[:, model.annotated])
    frame = evidence.frame
    estimated = Camera(float(focal[0]) * frame.pixels_per_unit, frame.center, seen.features.image_size)
    return Alignment(
        keypoints=keypoints,
        dense=model.dense.barycentric @ keypoints,
        rotation=rotation,
        translation=translation,
        scale=scale,
        focal=focal * frame.pixels_per_unit[0],
        energy=ranking.energy,
        energy_by_term=ranking.by_term,
        confidence=ranking.confidence * (trust(model, seen) if seen.mask_is_given else 1.0),
        camera=seen.camera or estimated,
        metric=_is_metric(seen) and evidence.object_depth > 0,
    )


def _is_metric(seen: Observation) -> bool:
    """Tell whether positions can be metres: a focal length that was searched for is only a guess."""
    return seen.camera is not None and seen.depth is not None and seen.depth.metric
