"""Choose benchmark pairs: training pairs cover all images, test pairs favor extreme view changes."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from semcorr_lab.synthetic.annotation import common_keypoints, pair_annotation, viewpoint_variation

# Odds of a pair of each viewpoint variation.
_ODDS = {"trn": (1.0, 1.0, 1.0), "val": (1.0, 2.0, 3.0), "test": (1.0, 3.0, 6.0)}
_MIN_COMMON = 3  # keypoints of a val or test pair, if there are enough such pairs


def choose_pairs(
    annotations: list[dict[str, Any]],
    directions: Float[np.ndarray, "image 3"],
    split: str,
    count: int,
    rng: np.random.Generator,
) -> list[dict[str, Any]]:
    """Choose up to `count` pairs of one category, their ids counted from 1; fewer where fewer exist.

    `directions` are unit viewing directions in the object frame. In trn each image is in a pair,
    even if that takes more than `count`.
    """
    candidates = _candidates(annotations, 1 if split == "trn" else _MIN_COMMON, count)
    if not candidates:
        return []
    cosine = np.clip(directions @ directions.T, -1, 1)
    angles = np.degrees(np.arccos(cosine))
    odds = np.array([_ODDS[split][viewpoint_variation(angles[pair])] for pair in candidates])
    order = rng.choice(len(candidates), len(candidates), replace=False, p=odds / odds.sum())
    ranked = [candidates[i] for i in order]
    chosen = ranked[:count]
    if split == "trn":
        chosen = _covering(ranked, chosen)
    return [
        pair_annotation(i + 1, annotations[a], annotations[b], float(angles[a, b]))
        for i, (a, b) in enumerate(sorted(chosen))
    ]


def numbered(pairs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Number the pairs of several categories through the split."""
    return [
        pair | {"pair_id": i, "filename": f"{i:06d}-{pair['filename'].partition('-')[2]}"}
        for i, pair in enumerate(pairs, 1)
    ]


def _candidates(annotations: list[dict[str, Any]], least: int, count: int) -> list[tuple[int, int]]:
    """List ordered pairs that share `least` keypoints; where these are fewer than `count`, also others."""
    shared = {
        (a, b): len(common_keypoints(annotations[a], annotations[b]))
        for a in range(len(annotations))
        for b in range(len(annotations))
        if a != b
    }
    enough: list[tuple[int, int]] = []
    for needed in range(least, 0, -1):
        enough = [pair for pair, common in shared.items() if common >= needed]
        if len(enough) >= count:
            break
    return enough


def _covering(ranked: list[tuple[int, int]], chosen: list[tuple[int, int]]) -> list[tuple[int, int]]:
    covered = {image for pair in chosen for image in pair}
    chosen = list(chosen)
    for pair in ranked:
        if not covered.issuperset(pair):
            chosen.append(pair)
            covered.update(pair)
    return chosen
