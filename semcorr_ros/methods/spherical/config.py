"""Sizes of the networks, and how spheres and features are weighed: what a class file remembers."""

from __future__ import annotations

from dataclasses import dataclass

from semcorr_ros.features._sphere_mapper import HEAD, HeadConfig

NARROWEST = 128  # channels of a mapper; half of a small backbone's own would hold too little

METRICS = ("cosine", "l2")


@dataclass(frozen=True)
class MatchConfig:
    """Eq. 7: (1 - alpha) G(features) + alpha G(spheres)."""

    alpha: float = 0.2
    metric: str = "cosine"  # "l2" for concatenated features, as of sd_dino
    inside: bool = True  # only cells of the object's outline, where that is known. Published: no


def head_for(channels: int, grid: int = 16, waves: int = 2) -> HeadConfig:
    """Size the networks for a backbone: half its channels, in whole heads."""
    width = max(NARROWEST, channels // 2 // HEAD * HEAD)
    return HeadConfig(channels, width, waves, grid)


def published(channels: int) -> HeadConfig:
    """Return the sizes of the authors' networks."""
    return HeadConfig(channels, channels // 2, waves=0, grid=32, everywhere=True, inputs="raw")


def metric_for(backbone: str) -> str:
    """Choose how features are compared: fused ones by distance, all others by cosine (the release)."""
    return "l2" if backbone.partition(":")[0] == "sd_dino" else "cosine"
