"""Sizes of the networks, and how spheres and features are weighed: what a class file remembers."""

from __future__ import annotations

from dataclasses import dataclass

HEAD = 64  # channels of an attention head, as published
NARROWEST = 128  # channels of a mapper; half of a small backbone's own would hold too little

METRICS = ("cosine", "l2")
INPUTS = ("unit", "raw")


@dataclass(frozen=True)
class HeadConfig:
    """Networks on top of a backbone (Spherical Maps, Section 3.2; the authors' release)."""

    channels: int  # of the backbone
    width: int  # of the mapper
    # Waves per axis that tell a token where it lies. Published: 0, as DINOv2's tokens know. Those of
    # convolutions do not, and without it a picture and its mirror image are the same set of tokens.
    waves: int = 2
    grid: int = 24  # tokens per side that the mapper is trained on; published: 32
    everywhere: bool = False  # True, published: matching maps every cell; else grid x grid, interpolated
    inputs: str = "unit"  # length of the tokens that go in; published: "raw", as the backbone gives them

    @property
    def heads(self) -> int:
        return self.width // HEAD


@dataclass(frozen=True)
class MatchConfig:
    """Eq. 7: (1 - alpha) G(features) + alpha G(spheres)."""

    alpha: float = 0.2
    metric: str = "cosine"  # "l2" for concatenated features, as of sd_dino


def head_for(channels: int, grid: int = 24, waves: int = 2) -> HeadConfig:
    """Size the networks for a backbone: half its channels, in whole heads."""
    width = max(NARROWEST, channels // 2 // HEAD * HEAD)
    return HeadConfig(channels, width, waves, grid)


def published(channels: int) -> HeadConfig:
    """Return the sizes of the authors' networks."""
    return HeadConfig(channels, channels // 2, waves=0, grid=32, everywhere=True, inputs="raw")


def metric_for(backbone: str) -> str:
    """Choose how features are compared: fused ones by distance, all others by cosine (the release)."""
    return "l2" if backbone.partition(":")[0] == "sd_dino" else "cosine"
