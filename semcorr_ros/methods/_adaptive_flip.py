"""Which of two views of the source looks more like the target: the image itself, or its mirror image.

GeoAware-SC's pose alignment at test time. Features that take left for right are right where both objects
face the same way, so a source that faces the other way is mirrored first.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import interpolate

from semcorr_ros.artifacts import FeatureMap

Mask = Bool[Tensor, "height width"]


def object_distance(source: FeatureMap, target: FeatureMap, masks: tuple[Mask, Mask]) -> float:
    """Average the feature distance of the source object's cells to their nearest target object cell.

    masks: of source and target, at image size. Returns infinity if either covers no cell. The authors
    resample maps of 60 x 60 to 64 x 64 first.
    """
    first, second = (_inside(*one) for one in zip((source, target), masks, strict=True))
    if len(first) == 0 or len(second) == 0:
        return float("inf")
    return float(torch.cdist(first, second).amin(1).mean())


def mutual_distance(source: FeatureMap, target: FeatureMap) -> float:
    """Average the feature distance of mutual nearest cells: the authors' choice without masks."""
    distance = torch.cdist(source.values.flatten(0, 1), target.values.flatten(0, 1))
    forth, back = distance.argmin(1), distance.argmin(0)
    mutual = back[forth] == torch.arange(len(forth), device=forth.device)
    return float(distance[mutual, forth[mutual]].mean())


def mirrored_queries(
    keypoints: Float[Tensor, "keypoint 2"], flip: tuple[int, ...], width: int
) -> Float[Tensor, "keypoint 2"]:
    """Mirror keypoints (pixels) and exchange left/right partners, by `flip`; `width` in pixels.

    NaN where the partner is not annotated.
    """
    partners = keypoints[list(flip)]
    return torch.stack([width - 1 - partners[:, 0], partners[:, 1]], dim=-1)


def _inside(features: FeatureMap, mask: Mask) -> Float[Tensor, "cell channel"]:
    h, w, _ = features.values.shape
    cells = interpolate(mask[None, None].float(), size=(h, w), mode="nearest")[0, 0] > 0.5
    return features.values[cells.to(features.values.device)]
