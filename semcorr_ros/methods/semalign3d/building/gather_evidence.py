"""Read the images one after another and keep what the build needs; skip and name what is broken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from semcorr_ros.methods.semalign3d.building.config import BuildConfig
from semcorr_ros.methods.semalign3d.building.evidence import (
    Evidence,
    LazySample,
    Sample,
    check_sample,
    observe,
)
from semcorr_ros.methods.semalign3d.building.report import Report

MIN_IMAGES = 2
MAX_MERGED = 100_000  # surface points of all views together


def gather_evidence(
    samples: Sequence[LazySample],
    keypoints: int,
    config: BuildConfig,
    generator: torch.Generator,
    report: Report,
) -> tuple[list[Evidence], str]:
    """Gather evidence of every usable image, in the order given, and the backbone of their features.

    Raises ValueError if fewer than two images are usable.
    """
    per_view = max(50, min(config.surface_points, MAX_MERGED // (2 * max(1, len(samples)))))
    config = replace(config, surface_points=per_view)
    backbone = ""
    found: dict[int, Evidence] = {}
    for index, lazy in enumerate(samples):
        try:
            sample = lazy.load()
            _check(sample, keypoints, backbone)
            found[index] = observe(sample, config, generator)
            backbone = sample.features.backbone
        except (ValueError, OSError) as error:
            report.skip(lazy.name, error)
        if report.progress is not None:
            report.progress("read images", 0.6 * (index + 1) / len(samples))
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
