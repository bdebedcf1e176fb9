"""The object is where the image looks more like the class than like the rest of the image.

The likeness of a cell is its largest cosine similarity to the class's prototypes. No fixed threshold
fits it: loose prototypes resemble many backgrounds. So the image's own background is modelled too,
from the cells along the border that look least like the class, and the two likenesses are compared.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy import ndimage
from torch import Tensor
from torch.nn.functional import interpolate, normalize

from semcorr_ros.artifacts import AnnotatedImage, FeatureMap, Observation, Prototypes
from semcorr_ros.masks import MaskPlugin, MaskProvider, Recognizer
from semcorr_ros.masks._depth_segments import segment_by_depth
from semcorr_ros.masks._otsu import otsu_threshold
from semcorr_ros.masks._pieces import label

CHUNK = 256  # prototypes at a time: 3600 cells x 1000 prototypes need not be in memory at once
BORDER = 15  # the ring of border cells is 1 / BORDER of the longer side wide
BACKGROUNDS = 8  # clusters of the background
ITERATIONS = 8  # of k-means
SMOOTHING_CELLS = 0.7  # Gaussian sigma
SHARE = 0.6  # of the longer side of what is looked at, of an object that attention sees in it
MIN_BACKGROUND = 0.05  # share of the ring; with less, the object fills the image


@dataclass(frozen=True)
class AttentionSettings:
    spread: float = 1.0  # standard deviations below the training similarity that still are the class
    loose: float = 0.03  # share of the border that a prototype may resemble and still be trusted
    keep: float = 0.25  # components smaller than this share of the largest are dropped


@dataclass(frozen=True)
class AttentionMasks(MaskProvider):
    """Needs the prototypes of a class; says nothing while the class is being built."""

    config: AttentionSettings
    recognises = True

    def mask(
        self, sample: AnnotatedImage, seen: Observation, model: Recognizer | None
    ) -> Bool[Tensor, "height width"] | None:
        """Find the object; None without a class, or where nothing resembles it."""
        if seen.mask is not None:
            return seen.mask  # rough ones are found by attention already
        if model is None:
            return None
        mask = find_object(model, seen, self.config)
        return mask if mask.any() else None


def build(config: AttentionSettings) -> AttentionMasks:
    """Build masks from features alone."""
    return AttentionMasks(config)


PLUGIN = MaskPlugin(AttentionSettings, build)


def find_object(
    model: Recognizer, seen: Observation, config: AttentionSettings = AttentionSettings()
) -> Bool[Tensor, "height width"]:
    """Find where the image resembles the class; with metric depth and a camera, the surface there.

    Empty where nothing resembles it.
    """
    prototypes = model.prototypes_at(SHARE * max(seen.features.image_size))
    mask = attention_mask(seen.features, prototypes, config)
    if not mask.any() or seen.depth is None or seen.camera is None:
        return mask
    draws = torch.Generator().manual_seed(0)  # fixed: one image, one mask
    return segment_by_depth(mask, seen.depth, seen.camera, model.diameter, draws)


def attention_mask(
    features: FeatureMap, prototypes: Prototypes, config: AttentionSettings = AttentionSettings()
) -> Bool[Tensor, "height width"]:
    """Threshold similarity to the class, at image size.

    Empty where nothing is as similar to the class as its training samples."""
    prototypes = _distinct(features.values, prototypes, config)
    accepted = prototypes.similarity_mean - config.spread * prototypes.similarity_std
    likeness = _likeness(features.values, prototypes.features)
    margin = _margin(features.values, likeness, accepted)
    kept = _components(margin > 0, likeness, float(accepted.quantile(0.25)), config.keep)
    # Equal bounds on both sides put the upsampled outline between object and background cells,
    # however far from the threshold either of them is.
    bound = margin[kept].median().clamp_min(1e-6) if kept.any() else torch.ones_like(margin[0, 0])
    margin = torch.where(kept, margin, -margin.abs()).clamp(-bound, bound)
    return (
        interpolate(margin[None, None], features.image_size, mode="bilinear", align_corners=False)[0, 0] > 0
    )


def _distinct(
    values: Float[Tensor, "height width channel"], prototypes: Prototypes, config: AttentionSettings
) -> Prototypes:
    """Drop prototypes that resemble this image's border, but keep at least the best quarter.

    Thin parts, such as wings, leave prototypes that are half background. All stay where the others
    find nothing: then the border shows the object itself.
    """
    likeness, ring = _likeness(values, prototypes.features), _border_ring(values[..., 0])
    border = values[ring & (likeness <= likeness[ring].median())]  # the object may be cut off there
    accepted = prototypes.similarity_mean - config.spread * prototypes.similarity_std
    resembled = (border @ prototypes.features.T > accepted).float().mean(0)
    kept = resembled <= max(config.loose, float(resembled.quantile(0.25)))
    distinct = Prototypes(
        prototypes.features[kept], prototypes.similarity_mean[kept], prototypes.similarity_std[kept]
    )
    found = (values.flatten(0, 1) @ distinct.features.T > accepted[kept]).any()
    return distinct if found else prototypes


def _margin(
    values: Float[Tensor, "height width channel"],
    likeness: Float[Tensor, "height width"],
    accepted: Float[Tensor, "prototype"],
) -> Float[Tensor, "height width"]:
    """Score cells, positive where the class explains them better than the background does."""
    ring = _border_ring(likeness)
    least_alike = ring & (likeness <= likeness[ring].median()) & (likeness < accepted.median())
    if least_alike.sum() < MIN_BACKGROUND * ring.sum():
        return _smooth(likeness) - accepted.quantile(0.25)
    contrast = _smooth(likeness - _likeness(values, _cluster(values[least_alike])))
    # Equally similar to both is background: a split below it would be one between backgrounds.
    return contrast - max(otsu_threshold(contrast) or 0.0, 0.0)


def _likeness(
    values: Float[Tensor, "height width channel"], vectors: Float[Tensor, "prototype channel"]
) -> Float[Tensor, "height width"]:
    h, w, channels = values.shape
    cells = values.reshape(-1, channels)
    best = torch.stack([(cells @ chunk.T).amax(-1) for chunk in vectors.split(CHUNK)])
    return best.amax(0).reshape(h, w)


def _border_ring(cells: Float[Tensor, "height width"]) -> Bool[Tensor, "height width"]:
    width = max(1, round(max(cells.shape) / BORDER))
    ring = torch.ones_like(cells, dtype=torch.bool)
    ring[width:-width, width:-width] = False
    return ring


def _cluster(vectors: Float[Tensor, "cell channel"]) -> Float[Tensor, "cluster channel"]:
    """Cluster by spherical k-means, started from cells evenly spaced along the ring: deterministic."""
    count = min(BACKGROUNDS, len(vectors))
    centers = vectors[torch.linspace(0, len(vectors) - 1, count, device=vectors.device).long()]
    for _ in range(ITERATIONS):
        owner = (vectors @ centers.T).argmax(-1)
        sums = torch.zeros_like(centers).index_add_(0, owner, vectors)
        filled = sums.norm(dim=-1, keepdim=True) > 0
        centers = torch.where(filled, normalize(sums, dim=-1), centers)
    return centers


def _smooth(values: Float[Tensor, "height width"]) -> Float[Tensor, "height width"]:
    smoothed = ndimage.gaussian_filter(values.cpu().numpy(), SMOOTHING_CELLS, mode="nearest")
    return torch.from_numpy(smoothed).to(values)


def _components(
    cells: Bool[Tensor, "height width"],
    likeness: Float[Tensor, "height width"],
    accepted: float,
    keep: float,
) -> Bool[Tensor, "height width"]:
    """Keep connected pieces that are large and, by their median, resemble the class."""
    labels, areas = label(cells.cpu().numpy())
    values = likeness.cpu().numpy()
    alike = [i for i in range(1, len(areas)) if np.median(values[labels == i]) >= accepted]
    large = [i for i in alike if areas[i] >= keep * areas[alike].max()]
    return torch.from_numpy(np.isin(labels, large)).to(cells.device)
