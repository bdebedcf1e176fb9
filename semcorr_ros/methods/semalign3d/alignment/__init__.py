"""Align a class to an image by energy minimisation (SemAlign3D, Eq. 4-13)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from semcorr_ros import backbones
from semcorr_ros.artifacts import Camera, Observation
from semcorr_ros.geometry.similarity import fit_similarity
from semcorr_ros.masks._agreement import trust
from semcorr_ros.methods.semalign3d.alignment import engine, evidence, initialize, objective, optimize, select
from semcorr_ros.methods.semalign3d.alignment.optimize import StepCallback
from semcorr_ros.methods.semalign3d.artifacts import Alignment, ClassRepresentation


@dataclass(frozen=True)
class Config:
    """All constants of the alignment; config/alignment_*.yaml hold presets."""

    evidence: evidence.Config = field(default_factory=evidence.Config)
    initialize: initialize.Config = field(default_factory=initialize.Config)
    objective: objective.Config = field(default_factory=objective.Config)
    optimize: optimize.Config = field(default_factory=optimize.Config)
    select: select.Config = field(default_factory=select.Config)
    engine: str = "auto"  # one of engine.ENGINES: they differ in speed, not in what they compute


def align(
    model: ClassRepresentation,
    seen: Observation,
    config: Config,
    generator: torch.Generator,
    on_step: StepCallback | None = None,
) -> Alignment:
    """Place and deform the class so that it explains the image; hypotheses come best first.

    Raises ValueError when the image was encoded by another backbone than the class, or its object
    mask is empty.
    """

    def starts(clues: evidence.Evidence) -> initialize.Starts:
        score = engine.choose(config.engine, config.objective).score
        return initialize.choose_starts(model, clues, config.initialize, generator, score)

    return align_from(model, seen, (config, starts), generator, on_step)


def align_from(
    model: ClassRepresentation,
    seen: Observation,
    how: tuple[Config, Callable[[evidence.Evidence], initialize.Starts]],
    generator: torch.Generator,
    on_step: StepCallback | None = None,
) -> Alignment:
    """`align` from given starts: (settings, starts for the evidence of this image). Raises as `align`."""
    config, starts = how
    work = engine.choose(config.engine, config.objective)
    clues = gather(model, seen, config, generator)
    found = work.optimize(
        model, clues, starts(clues), (config.optimize, config.objective), generator, on_step
    )
    return settle(model, seen, clues, found, config)


def gather(
    model: ClassRepresentation, seen: Observation, config: Config, generator: torch.Generator
) -> evidence.Evidence:
    """What the image says about the class: the first step of `align`. Raises as `align`."""
    backbones.check(model, seen.features.backbone)
    return evidence.gather_evidence(model, seen, config.evidence, generator)


@torch.no_grad()
def settle(
    model: ClassRepresentation,
    seen: Observation,
    clues: evidence.Evidence,
    found: optimize.Optimized,
    config: Config,
) -> Alignment:
    """Optimised hypotheses, ranked and in depth units: the last step of `align`."""
    ranking = select.rank(model, clues, found, (config.select, config.objective))
    return _to_depth_units(model, seen, clues, found, ranking)


def _to_depth_units(
    model: ClassRepresentation,
    seen: Observation,
    clues: evidence.Evidence,
    found: optimize.Optimized,
    ranking: select.Ranking,
) -> Alignment:
    """Scale working units so that the visible surface lies at the observed depth.

    Without depth the class's training scale decides; without that, units stay canonical.
    """
    keypoints, focal = found.keypoints[ranking.order], found.focal[ranking.order]
    canonical = model.sparse[model.seen].expand(len(keypoints), -1, -1)
    scale, rotation, _ = fit_similarity(canonical, keypoints[:, model.seen])
    if clues.object_depth > 0:
        unit = clues.object_depth / found.surface_depth[ranking.order]
    else:
        unit = (model.metric_scale or 1.0) / scale
    keypoints = keypoints * unit[:, None, None]
    scale, rotation, translation = fit_similarity(canonical, keypoints[:, model.seen])
    return Alignment(
        keypoints=keypoints,
        dense=model.dense.barycentric @ keypoints,
        rotation=rotation,
        translation=translation,
        scale=scale,
        focal=focal * clues.frame.pixels_per_unit[0],
        energy=ranking.energy,
        energy_by_term=ranking.by_term,
        confidence=ranking.confidence * (trust(model, seen) if seen.mask_is_given else 1.0),
        camera=seen.camera or _found_camera(clues, float(focal[0]), seen.features.image_size),
        metric=seen.depth is not None and seen.depth.metric and clues.object_depth > 0,
    )


def _found_camera(clues: evidence.Evidence, focal: float, size: tuple[int, int]) -> Camera:
    return Camera(focal * clues.frame.pixels_per_unit, clues.frame.center, size)
