"""Depth without a depth camera: from the annotated keypoints of a class, across all its images.

Structure from motion of the class (semcorr_ros/structure) gives the depth of every annotated keypoint and
the focal length of every image; between them depth is interpolated. Not metric, but one unit in all images.
Needs annotations, so it is for building a class, never for a camera.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from semcorr_ros.artifacts import AnnotatedImage, CategoryInfo, DepthMap
from semcorr_ros.depth import DepthPlugin, Prepared
from semcorr_ros.depth._interpolation import interpolate
from semcorr_ros.structure.config import LiftConfig
from semcorr_ros.structure.describe import describe, warnings
from semcorr_ros.structure.lift import Structure, lift
from semcorr_ros.structure.sentences import parse
from semcorr_ros.structure.sightings import Collected, collect


@dataclass(frozen=True)
class KeypointDepthSettings:
    """Of the lift; see structure/config.py.

    focal: of cameras that are not known, in units of the longer side of the image.
    modes: in how many ways the shape deforms from image to image.
    nearer: sentences (A, B) or (A, B, image): keypoint A is nearer to the camera than B, in most or in one.
    """

    focal: float = LiftConfig.focal
    modes: int = LiftConfig.modes
    nearer: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class KnownDepth:
    """Keypoints with depth of one image."""

    pixels: Float[Tensor, "point 2"]
    depths: Float[Tensor, "point"]
    focal: float  # pixels


@dataclass(frozen=True)
class LiftedDepth:
    """Depth of the images that were lifted together."""

    known: dict[str, KnownDepth]
    refused: dict[str, str]

    def depth(self, sample: AnnotatedImage) -> DepthMap:
        """Raises ValueError for an image that could not be lifted, saying why."""
        one = self.known.get(sample.name)
        if one is None:
            reason = self.refused.get(sample.name, "it was not among the images that were lifted")
            raise ValueError(f"no depth from keypoints: {reason}")
        values = interpolate(one.pixels, one.depths, sample.size)
        return DepthMap(values, metric=False, focal=one.focal)


@dataclass(frozen=True)
class KeypointDepth:
    """Needs `prepare` first: depth comes from all images together."""

    config: KeypointDepthSettings

    def depth(self, sample: AnnotatedImage) -> DepthMap:
        """Raises ValueError: `prepare` comes first."""
        raise ValueError("--depth keypoints needs all annotated images of a category; it is for build_class")

    def prepare(
        self, images: Sequence[AnnotatedImage], info: CategoryInfo, generator: torch.Generator
    ) -> Prepared:
        """Lift the class. Raises ValueError saying what is missing."""
        config = LiftConfig(focal=self.config.focal, modes=self.config.modes)
        collected = collect(images, info, config.focal)
        sentences = parse(self.config.nearer, info, collected)
        structure = lift(collected.sights, collected.flip, config, generator, sentences)
        known = {
            image.name: _known(image, collected, structure, row) for row, image in enumerate(collected.images)
        }
        facts: dict[str, Any] = describe(structure, collected, info)
        return Prepared(
            LiftedDepth(known, collected.refused), tuple(warnings(structure, collected, info)), facts
        )


def build(config: KeypointDepthSettings) -> KeypointDepth:
    """Raises ValueError for a value out of range."""
    LiftConfig(focal=config.focal, modes=config.modes)
    return KeypointDepth(config)


PLUGIN = DepthPlugin(KeypointDepthSettings, build, needs_files=True, needs_annotations=True)


def _known(image: AnnotatedImage, collected: Collected, structure: Structure, row: int) -> KnownDepth:
    # Labels exchanged by the annotator: the lift's keypoint k was annotated as its partner.
    order = torch.arange(len(structure.shape))
    if structure.swapped[row] and collected.flip is not None:
        order = torch.tensor(collected.flip)
    visible: Bool[Tensor, "keypoint"] = collected.sights.visible[row]
    pixels = image.keypoints[collected.placed][visible]
    depths = structure.points[row, :, 2][order][visible]
    return KnownDepth(pixels.float(), depths.float(), float(structure.focal[row]))
