"""How good features are for correspondence: keypoints of unseen pictures matched by nearest neighbor.

A match counts as folded if it lands on any keypoint of the same folded group (the keypoint, its
mirror partner, its repeats), since the features are not meant to tell those apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, UInt8
from torch import Tensor
from torch.nn import functional

from semcorr_lab.training.rendered_samples import RenderedSample
from semcorr_lab.training.tiny_targets import Codebook
from semcorr_ros.artifacts import FeatureMap
from semcorr_ros.geometry.grid import cell_centers, features_at

ALPHA = 0.1
_SAME_PLACE = 0.9  # cosine of mean targets above which two keypoints are one folded place


@dataclass(frozen=True)
class Quality:
    """Measures of one category, all in [0, 1]."""

    folded: float  # share of matches within ALPHA of a keypoint of the folded group
    pck: float  # share of matches within ALPHA of the keypoint itself
    auc: float  # object cells are more like the mean object feature than background cells are
    matches: int


def folded_groups(samples: Sequence[RenderedSample], codebook: Codebook) -> Bool[Tensor, "keypoint keypoint"]:
    """Find which keypoints of a category share their place on the folded surface."""
    targets = torch.stack(
        [codebook.embed(s.category, s.keypoint_name.long(), s.keypoint_local) for s in samples]
    )
    mean = functional.normalize(targets.mean(0), dim=-1)
    return mean @ mean.T > _SAME_PLACE


def quality(
    encode: Callable[[UInt8[Tensor, "height width 3"]], FeatureMap],
    samples: Sequence[RenderedSample],
    codebook: Codebook,
) -> Quality:
    """Measure one category: every sample is matched to the three that follow it.

    Raises ValueError for samples of several categories or fewer than two.
    """
    if len({sample.category for sample in samples}) != 1 or len(samples) < 2:
        raise ValueError(f"need at least two samples of one category, got {len(samples)}")
    groups = folded_groups(samples, codebook)
    maps = [encode(sample.image) for sample in samples]
    hits = []
    for i, source in enumerate(samples):
        for ahead in range(1, min(4, len(samples))):
            j = (i + ahead) % len(samples)
            hits.append(_match(source, maps[i], samples[j], maps[j], groups))
    folded = torch.cat([hit[0] for hit in hits]).float()
    exact = torch.cat([hit[1] for hit in hits]).float()
    return Quality(float(folded.mean()), float(exact.mean()), _auc(maps, samples), len(folded))


def _match(
    source: RenderedSample,
    source_map: FeatureMap,
    target: RenderedSample,
    target_map: FeatureMap,
    groups: Bool[Tensor, "keypoint keypoint"],
) -> tuple[Bool[Tensor, "match"], Bool[Tensor, "pair"]]:
    """Find folded hits of source keypoints with a visible partner; exact hits of those visible in both."""
    x1, y1, x2, y2 = target.bbox
    near = ALPHA * max(x2 - x1, y2 - y1)
    asked = source.visible & (groups & target.visible[None]).any(1)
    ids = asked.nonzero()[:, 0]
    found = features_at(source_map, source.keypoints[ids]) @ target_map.values.flatten(0, 1).T
    h, w, _ = target_map.values.shape
    cells = cell_centers((h, w), target_map.image_size).reshape(-1, 2)[found.argmax(1)]
    close = torch.cdist(cells, target.keypoints.nan_to_num(-1e6)) < near
    both = target.visible[ids]
    return (close & groups[ids]).any(1), close[torch.arange(len(ids)), ids][both]


def _auc(maps: Sequence[FeatureMap], samples: Sequence[RenderedSample]) -> float:
    """Compute the area under the ROC curve of the similarity to the category's mean object feature."""
    inside, values = [], []
    for features, sample in zip(maps, samples, strict=True):
        shape = features.values.shape[:2]
        mask = functional.interpolate((sample.name >= 0).float()[None, None], shape, mode="nearest")[0, 0] > 0
        inside.append(mask.flatten())
        values.append(features.values.flatten(0, 1))
    label, feature = torch.cat(inside), torch.cat(values)
    score = feature @ functional.normalize(feature[label].mean(0), dim=0)
    rank = score.argsort().argsort().double()
    positive, negative = int(label.sum()), int((~label).sum())
    return float((rank[label].sum() - positive * (positive - 1) / 2) / max(1, positive * negative))
