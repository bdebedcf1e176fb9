"""PCK over parts of the pairs: by SPair-71k's difficulty levels and by how far the viewpoints differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jaxtyping import Bool
from torch import Tensor

from semcorr_ros.artifacts import AnnotatedImage, ImagePair
from semcorr_ros.evaluation import pck

AZIMUTHS = 8  # SPair-71k's azimuth_id counts eighths of a turn
AZIMUTH = "azimuth_difference"

# What SPair-71k calls its levels; for the azimuth, degrees.
LEVELS: dict[str, tuple[str, ...]] = {
    AZIMUTH: ("0", "45", "90", "135", "180"),
    "viewpoint_variation": ("easy", "medium", "hard"),
    "scale_variation": ("easy", "medium", "hard"),
    "truncation": ("none", "source", "target", "both"),
    "occlusion": ("none", "source", "target", "both"),
}

Outcome = tuple[ImagePair, Bool[Tensor, "keypoint"]]


def azimuth_difference(first: int, second: int) -> int:
    """Count the eighths of a turn between two azimuth ids, 0 to 4."""
    apart = abs(first - second) % AZIMUTHS
    return min(apart, AZIMUTHS - apart)


def level_name(flag: str, level: str) -> str:
    """Return the name of a level, or its number where it has none."""
    names = LEVELS.get(flag, ())
    return names[int(level)] if 0 <= int(level) < len(names) else level


def breakdowns(
    outcomes: list[Outcome], samples: Mapping[str, AnnotatedImage]
) -> dict[str, dict[str, dict[str, Any]]]:
    """Compute {flag: {level: {pairs, pck}}}, PCK per image. Flags that no pair has are absent."""
    flags = dict.fromkeys(flag for pair, _ in outcomes for flag in pair.difficulty)
    found = {
        flag: _by_level([(pair.difficulty.get(flag), outcome) for pair, outcome in outcomes])
        for flag in flags
    }
    by_azimuth = _by_level([(_azimuths(pair, samples), outcome) for pair, outcome in outcomes])
    if by_azimuth:
        found[AZIMUTH] = by_azimuth
    return found


def _by_level(outcomes: list[tuple[int | None, Bool[Tensor, "keypoint"]]]) -> dict[str, dict[str, Any]]:
    levels: dict[int, list[Bool[Tensor, "keypoint"]]] = {}
    for level, outcome in outcomes:
        if level is not None:
            levels.setdefault(level, []).append(outcome)
    return {
        str(level): {"pairs": len(levels[level]), "pck": pck.per_image(levels[level])}
        for level in sorted(levels)
    }


def _azimuths(pair: ImagePair, samples: Mapping[str, AnnotatedImage]) -> int | None:
    ids = [samples[name].azimuth_id for name in (pair.source, pair.target) if name in samples]
    known = [i for i in ids if i is not None]
    return azimuth_difference(*known) if len(known) == 2 else None
