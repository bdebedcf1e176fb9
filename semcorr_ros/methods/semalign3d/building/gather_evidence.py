"""Read the images one after another and keep what the build needs; skip and name what is broken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from semcorr_ros.artifacts import FeatureMap, Prototypes
from semcorr_ros.geometry.grid import cell_size
from semcorr_ros.masks.attention import attention_mask
from semcorr_ros.methods.semalign3d.building.config import Config
from semcorr_ros.methods.semalign3d.building.evidence import (
    Evidence,
    annotated_pixels,
    check_sample,
    keypoint_features,
    observe,
)
from semcorr_ros.methods.semalign3d.building.prototypes import keypoint_prototypes
from semcorr_ros.methods.semalign3d.building.report import Report
from semcorr_ros.methods.semalign3d.building.samples import LazySample, Sample

MIN_IMAGES = 2
MAX_MERGED = 100_000  # surface points of all views together


def gather_evidence(
    samples: Sequence[LazySample], keypoints: int, config: Config, generator: torch.Generator, report: Report
) -> tuple[list[Evidence], str]:
    """Evidence of every usable image, in the order given, and the backbone of their features.

    Raises ValueError if fewer than two images are usable.
    """
    per_view = max(50, min(config.surface_points, MAX_MERGED // (2 * max(1, len(samples)))))
    config = replace(config, surface_points=per_view)
    backbone = ""
    found: dict[int, Evidence] = {}
    maskless: dict[int, Sample] = {}
    for index, lazy in enumerate(samples):
        try:
            sample = lazy.load()
            _check(sample, keypoints, backbone)
            if sample.mask is None:
                maskless[index] = sample
            else:
                found[index] = observe(sample, sample.mask, config, generator)
            backbone = sample.features.backbone
        except (ValueError, OSError) as error:
            report.skip(lazy.name, error)
        if report.progress is not None:
            report.progress("read images", 0.6 * (index + 1) / len(samples))
    found |= _observe_maskless(maskless, found, config, generator, report)
    if len(found) < MIN_IMAGES:
        reasons = "; ".join(f"{entry['name']}: {entry['reason']}" for entry in report.skipped[:3])
        raise ValueError(
            f"{len(found)} of {len(samples)} images are usable, at least {MIN_IMAGES} are needed ({reasons})"
        )
    return [found[index] for index in sorted(found)], backbone


def _check(sample: Sample, keypoints: int, backbone: str) -> None:
    check_sample(sample)
    if len(sample.annotated.keypoints) != keypoints:
        raise ValueError(f"{len(sample.annotated.keypoints)} keypoints, the category has {keypoints}")
    if backbone and sample.features.backbone != backbone:
        raise ValueError(
            f"features of {sample.features.backbone!r}, those of the other images are {backbone!r}"
        )


def _observe_maskless(
    maskless: dict[int, Sample],
    found: dict[int, Evidence],
    config: Config,
    generator: torch.Generator,
    report: Report,
) -> dict[int, Evidence]:
    """Images without a mask: the object is where the features look like those at the keypoints."""
    if not maskless:
        return {}
    prototypes = _first_prototypes(list(maskless.values()), list(found.values()), config)
    observed = {}
    for index, sample in maskless.items():
        try:
            mask = attention_mask(sample.features, prototypes)
            observed[index] = observe(sample, _with_keypoints(mask, sample), config, generator)
        except ValueError as error:
            report.skip(sample.annotated.name, error)
    return observed


def _first_prototypes(samples: list[Sample], evidence: list[Evidence], config: Config) -> Prototypes:
    features = [keypoint_features(sample.features, annotated_pixels(sample)) for sample in samples]
    features += [view.features for view in evidence]
    stacked = torch.stack(features)
    seen = stacked.abs().sum(-1) > 0
    prototypes = keypoint_prototypes(stacked, seen, config.similarity_std_floor)
    ever = seen.any(0)
    return Prototypes(
        prototypes.features[ever], prototypes.similarity_mean[ever], prototypes.similarity_std[ever]
    )


def _with_keypoints(mask: Tensor, sample: Sample) -> Tensor:
    """Annotated keypoints lie on the object, whatever the attention says: a cell around each is added."""
    pixels = annotated_pixels(sample)
    pixels = pixels[torch.isfinite(pixels).all(-1)]
    h, w = mask.shape
    reach = _cell(sample.features)
    x, y = torch.arange(w), torch.arange(h)
    near_x = (x[None] - pixels[:, :1]).abs() <= reach
    near_y = (y[None] - pixels[:, 1:]).abs() <= reach
    return mask | (near_y[:, :, None] & near_x[:, None, :]).any(0)


def _cell(features: FeatureMap) -> float:
    """Half the side of a feature cell in pixels."""
    return 0.5 * cell_size(features)[0]
