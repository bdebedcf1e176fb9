"""Follow an object from picture to picture: start at its last pose and shape, and notice when it is lost."""

from __future__ import annotations

from dataclasses import replace

import torch

from semcorr_ros.artifacts import Observation
from semcorr_ros.geometry import cameras
from semcorr_ros.methods.semalign3d import alignment
from semcorr_ros.methods.semalign3d.alignment import AlignmentConfig, initialize
from semcorr_ros.methods.semalign3d.alignment.evidence import EvidenceConfig
from semcorr_ros.methods.semalign3d.alignment.initialize import Starts
from semcorr_ros.methods.semalign3d.alignment.optimize import OptimizeConfig, StepCallback
from semcorr_ros.methods.semalign3d.alignment.state import Evidence
from semcorr_ros.methods.semalign3d.artifacts import Alignment, ClassRepresentation

# When an object counts as lost, and the whole search is done again:
MIN_CONFIDENCE = 0.3  # below this confidence,
MIN_SHARE = 0.5  # or below this share of the last search's
SHRINK = 0.1  # ridge, in variances of a mode, when a shape is written in modes

# Few steps from nearby: sigma begins where the full search is after two fifths of its steps.
FOLLOWING = AlignmentConfig(
    evidence=EvidenceConfig(samples=512, candidates=1536),
    optimize=OptimizeConfig(steps=40, batch=192, begin=400.0, survivors=((700, 1),)),
)


class Tracker:
    """The last placement of one object. One instance per object and camera; not thread safe."""

    def __init__(self, model: ClassRepresentation, search: AlignmentConfig) -> None:
        """Prepare to track; `search` holds the settings of the first picture, and of those after a loss."""
        self.model, self.search = model, search
        self.following = replace(FOLLOWING, engine=search.engine)
        self.last: Alignment | None = None
        self.searches = 0  # how often the whole search was done
        self._expected = 0.0

    def update(
        self, seen: Observation, generator: torch.Generator, on_step: StepCallback | None = None
    ) -> Alignment:
        """Place the class in the next picture. Raises as `align` does; the next call then searches anew."""
        last, self.last = self.last, None
        found = None
        if last is not None:
            found = follow(self.model, seen, last, self.following, generator, on_step)
            lost = float(found.confidence[0]) < max(MIN_CONFIDENCE, MIN_SHARE * self._expected)
            found = None if lost else found
        if found is None:
            found = alignment.align(self.model, seen, self.search, generator, on_step)
            self.searches += 1
            self._expected = float(found.confidence[0])
        self.last = found
        return found


def follow(
    model: ClassRepresentation,
    seen: Observation,
    last: Alignment,
    config: AlignmentConfig,
    generator: torch.Generator,
    on_step: StepCallback | None = None,
) -> Alignment:
    """Align from the best hypothesis of the last picture. Raises as `align` does."""

    def starts(evidence: Evidence) -> Starts:
        return resume(model, evidence, last)

    return alignment.align_from(model, seen, (config, starts), generator, on_step)


def resume(model: ClassRepresentation, evidence: Evidence, last: Alignment) -> Starts:
    """Make two starts: the last pose, and the last pose moved to where the object's pixels are now."""
    scale, rotation = last.scale[:1], last.rotation[:1]
    focal = last.focal[:1] / evidence.frame.pixels_per_unit[0]
    translation = last.translation[:1] / scale
    surface = (
        evidence.object_depth / scale
        if evidence.object_depth > 0
        else focal * (2 / 3) ** 0.5 / evidence.radius
    )
    modes, residual = in_modes(model, last)
    pixels = cameras.project(last.dense[0], last.camera)
    before = evidence.frame.normalize(pixels).mean(0)
    moved = translation.clone()
    if evidence.object_depth > 0:
        moved[:, 2] = surface + initialize.SURFACE_TO_CENTER
        moved[:, :2] = moved[:, :2] * moved[:, 2:] / translation[:, 2:]
    moved[:, :2] += (evidence.center - before) / focal * moved[:, 2:]
    return Starts(
        rotation.expand(2, -1, -1),
        torch.cat([translation, moved]),
        focal.expand(2).clone(),
        surface.expand(2).clone(),
        modes.expand(2, -1),
        residual.expand(2, -1, -1),
    )


def in_modes(model: ClassRepresentation, last: Alignment) -> tuple[torch.Tensor, torch.Tensor]:
    """Express the best hypothesis's shape by mode coefficients (1, M) and the residual (1, L, 3)."""
    shape = (last.keypoints[0] - last.translation[0]) @ last.rotation[0] / last.scale[0]
    deviation = shape - model.sparse
    deviation = torch.where(model.annotated[:, None], deviation, 0.0)
    basis = model.shape_modes.flatten(1)
    gram = basis @ basis.T + SHRINK * basis.square().sum(-1).mean() * torch.eye(len(basis)).to(basis)
    modes = torch.linalg.solve(gram, basis @ deviation.flatten()) if len(basis) else basis.new_zeros(0)
    residual = deviation - torch.einsum("m,mld->ld", modes, model.shape_modes)
    return modes[None], residual[None]
